// Package evidence keeps the pictures and pages that devices upload. They come
// encrypted and stay opaque; a blob is found by its device and the digest of
// its plain bytes, so that no device can take the place of another's.
package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// MaxBytes bounds one blob.
const MaxBytes = 32 << 20

// Folder keeps blobs as files: FOLDER/device/first two digits/digest.
type Folder struct{ root string }

// NewFolder uses the folder at root, which is made when first needed.
func NewFolder(root string) *Folder { return &Folder{root: root} }

// path refuses every name that is not a device id and a digest: both come from
// outside and become a path. Codes: digest_invalid, device_invalid.
func (f *Folder) path(device, digest string) (string, error) {
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(hex) != 64 || !only(hex, "0123456789abcdef") {
		return "", fault.New(fault.Usage, "digest_invalid", "%q is not a digest", digest).
			WithHint("Use sha256: and 64 hexadecimal digits in lower case.")
	}
	name, ok := strings.CutPrefix(device, wire.DevicePrefix)
	if !ok || name == "" || len(name) > 40 || !only(name, "0123456789abcdefghijklmnopqrstuvwxyz") {
		return "", fault.New(fault.Usage, "device_invalid", "%q is not a device id", device).WithHint("Ids begin with dev_.")
	}
	return filepath.Join(f.root, device, hex[:2], hex), nil
}

// only reports whether text has no other characters than these.
func only(text, these string) bool { return strings.TrimLeft(text, these) == "" }

// Has reports whether a blob is here.
func (f *Folder) Has(device, digest string) bool {
	path, err := f.path(device, digest)
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

// Put stores a blob unless it is here, durably. It reports whether it is new.
// Codes: digest_invalid, evidence_empty.
func (f *Folder) Put(device, digest string, blob io.Reader) (fresh bool, err error) {
	path, err := f.path(device, digest)
	if err != nil {
		return false, err
	}
	if f.Has(device, digest) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make evidence folder: %w", err)
	}
	temporary, err := write(filepath.Dir(path), blob)
	if temporary != "" {
		defer func() { _ = os.Remove(temporary) }() // gone after the rename
	}
	if err != nil {
		return false, err
	}
	if err := os.Rename(temporary, path); err != nil {
		return false, fmt.Errorf("name evidence: %w", err)
	}
	return true, syncFolder(filepath.Dir(path))
}

// write puts the blob into a temporary file beside its place.
func write(folder string, blob io.Reader) (path string, err error) {
	file, err := os.CreateTemp(folder, "upload-*")
	if err != nil {
		return "", fmt.Errorf("make evidence file: %w", err)
	}
	n, copyErr := io.Copy(file, blob)
	err = errors.Join(copyErr, file.Sync(), file.Close())
	if err == nil && n == 0 {
		err = fault.New(fault.Usage, "evidence_empty", "the upload is empty").WithHint("Send the encrypted bytes as the body.")
	}
	return file.Name(), err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil // Windows keeps names by itself
	}
	if err != nil {
		return fmt.Errorf("open evidence folder: %w", err)
	}
	err = folder.Sync()
	return errors.Join(err, folder.Close())
}

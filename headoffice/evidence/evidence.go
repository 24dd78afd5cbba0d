// Package evidence keeps the pictures and pages that devices upload. What comes is
// checked against the digest that names it and encrypted before it touches the
// disk; it is found by its device and digest, so that no device can take the
// place of another's.
package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"branchbot/headoffice/keys"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// MaxBytes bounds one blob.
const MaxBytes = 32 << 20

// Folder keeps blobs as sealed files: FOLDER/device/first two digits/digest.
type Folder struct {
	root string
	keys *keys.Wrapper
}

// NewFolder uses the folder at root, which is made when first needed.
func NewFolder(root string, wrapper *keys.Wrapper) *Folder { return &Folder{root: root, keys: wrapper} }

// sealName binds a sealed file to its place.
func sealName(device, digest string) string { return "evidence " + device + " " + digest }

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

// Put stores a blob unless it is here, durably and sealed. It reports whether it
// is new. Codes: digest_invalid, evidence_empty, digest_mismatch.
func (f *Folder) Put(device, digest string, blob io.Reader) (fresh bool, err error) {
	path, err := f.path(device, digest)
	if err != nil {
		return false, err
	}
	plain, err := io.ReadAll(blob)
	if err != nil {
		return false, fmt.Errorf("read upload: %w", err)
	}
	if len(plain) == 0 {
		return false, fault.New(fault.Usage, "evidence_empty", "the upload is empty").WithHint("Send the picture's bytes as the body.")
	}
	if got := wire.Digest(plain); got != digest {
		return false, fault.New(fault.Usage, "digest_mismatch", "the upload has the digest %s, not %s", got, digest).
			WithHint("Send the bytes that the digest names.")
	}
	if f.Has(device, digest) {
		return false, nil
	}
	return true, f.write(path, f.keys.Seal(sealName(device, digest), plain))
}

// Get returns the bytes of a blob. Codes: evidence_unknown, evidence_damaged.
func (f *Folder) Get(device, digest string) ([]byte, error) {
	path, err := f.path(device, digest)
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Usage, "evidence_unknown", "this evidence is not at head office").
			WithHint("It may still be on the device.")
	}
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	plain, err := f.keys.Open(sealName(device, digest), sealed)
	if err != nil || wire.Digest(plain) != digest {
		return nil, fault.New(fault.Application, "evidence_damaged", "the stored evidence is not what was uploaded").
			WithHint("Bring the evidence folder back from its backup.")
	}
	return plain, nil
}

// write puts a sealed blob in place: after a crash it is whole or not there.
func (f *Folder) write(path string, sealed []byte) error {
	folder := filepath.Dir(path)
	if err := disk.MakeFolder(folder); err != nil {
		return fmt.Errorf("make evidence folder: %w", err)
	}
	file, err := os.CreateTemp(folder, "upload-*")
	if err != nil {
		return fmt.Errorf("make evidence file: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone after the rename
	_, err = file.Write(sealed)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("name evidence: %w", err)
	}
	return syncFolder(folder)
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

// Package keys wraps head office's own private keys before they go to SQL.
//
// The wrapping key is 32 random bytes in a file that only head office's user
// may read (or in a file that the owner configures). A copy of the database
// without that file gives nobody a signing key. A sealed key is bound to its
// name: the CA's key cannot be put in the place of another.
package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"branchbot/internal/fault"
)

const keySize = 32

// Wrapper seals and opens private keys.
type Wrapper struct{ aead cipher.AEAD }

// Create writes a new random key file. It fails with fs.ErrExist when there is
// one: whoever comes second must use the first one's key.
func Create(path string) (*Wrapper, error) {
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make wrapping key: %w", err)
	}
	// Written whole before it gets its name, so that nobody reads half a key.
	file, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, fmt.Errorf("create key file: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // the link stays
	_, writeErr := file.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(writeErr, file.Sync(), file.Close()); err != nil {
		return nil, fmt.Errorf("write key file: %w", err)
	}
	if err := errors.Join(os.Link(file.Name(), path), syncFolder(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("name key file: %w", err)
	}
	return wrapper(key)
}

// syncFolder makes a new file's name durable: a database whose key file was
// lost with the power can never be opened again.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Load reads a key file. Codes: key_file_missing, key_file_invalid, key_file_readable.
func Load(path string) (*Wrapper, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Usage, "key_file_missing", "key_file %s: the file that wraps head office's keys is not there", path).
			WithHint("Put the key file back from its backup, or name it with key_file. Without it the certificate authority cannot be opened.")
	}
	if err != nil {
		return nil, fmt.Errorf("look at key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.New(fault.Usage, "key_file_readable", "key_file %s: others may read it (mode %04o)", path, info.Mode().Perm()).
			WithHint("Run: chmod 600 %s", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keySize {
		return nil, fault.New(fault.Usage, "key_file_invalid", "key_file %s: not a base64 key of %d bytes", path, keySize).
			WithHint("Put the key file back from its backup.")
	}
	return wrapper(key)
}

func wrapper(key []byte) (*Wrapper, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("wrapping cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("wrapping cipher: %w", err)
	}
	return &Wrapper{aead: aead}, nil
}

// Seal wraps a private key under its name.
func (w *Wrapper) Seal(name string, plain []byte) []byte {
	return w.aead.Seal(nil, nil, plain, []byte(name))
}

// Open unwraps what Seal made. Code: key_unwrap_failed.
func (w *Wrapper) Open(name string, sealed []byte) ([]byte, error) {
	plain, err := w.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, fault.New(fault.Usage, "key_unwrap_failed", "the key %q cannot be opened with this key file", name).
			WithHint("Use the key file that belongs to this database.")
	}
	return plain, nil
}

package store

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keySize   = 32
	keyPrefix = "branchbot-store-key-1 " // then base64, then a line feed
)

// loadKey reads the key file. Only a new database may make one: a missing key
// beside an old database is a loss that a person must see.
func loadKey(path string, mayMake bool) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && mayMake {
		return makeKey(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, locked("the key file %s is missing", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	encoded, isOurs := strings.CutPrefix(strings.TrimSpace(string(text)), keyPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !isOurs || err != nil || len(key) != keySize {
		return nil, locked("the key file %s is damaged", path)
	}
	return key, nil
}

func makeKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	text := keyPrefix + base64.StdEncoding.EncodeToString(key) + "\n"
	if err := WriteFile(path, []byte(text)); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// WriteFile puts a private file in place durably: after a crash there is either
// the whole new file or what was there before.
func WriteFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, TempPrefix+"*") // made with 0600
	if err != nil {
		return diskError(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(diskError(err), os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// TempPrefix starts the names of files that WriteFile had not finished.
const TempPrefix = ".unfinished-"

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a private folder, and those above it, unless they are there,
// so that they outlive a power cut: a file that was synced in a folder whose own
// name was not is lost with it. One that is there may have been made a moment
// ago, so its name is synced too.
func MakeFolder(path string) error {
	path = filepath.Clean(path)
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = MakeFolder(filepath.Dir(path)); err == nil {
			err = os.Mkdir(path, 0o700)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		err = isFolder(path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return diskError(err)
}

func isFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	return nil
}

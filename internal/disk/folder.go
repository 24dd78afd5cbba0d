package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
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

// syncFolder makes the names in a folder durable, where that can be done: Windows
// keeps names by itself, and above a folder of ours may stand one that we must not
// read, or that is not on a disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = folder.Sync()
	for _, cannot := range []error{fs.ErrPermission, syscall.EINVAL, syscall.EROFS, errors.ErrUnsupported} {
		if errors.Is(err, cannot) {
			err = nil
		}
	}
	return errors.Join(err, folder.Close())
}

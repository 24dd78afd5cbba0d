//go:build !windows

package store

import (
	"errors"
	"os"
)

// syncDir makes a rename inside dir durable.
func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// keepOpen opens a file that is about to be replaced, so that its bytes can be
// overwritten once it has no name; nil when it cannot.
func keepOpen(path string) *os.File {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	return file
}

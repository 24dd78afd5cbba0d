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

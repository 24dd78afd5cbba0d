package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"branchbot/agent/store"
	"branchbot/internal/disk"
)

// Sweep removes files that a crash left without a row, and tells how many.
func (k *Keeper) Sweep(ctx context.Context) (swept int, err error) {
	err = filepath.WalkDir(k.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		removed, err := k.sweep(path)
		if removed {
			swept++
		}
		return err
	})
	if err != nil {
		return swept, fmt.Errorf("sweep evidence: %w", err)
	}
	return swept, nil
}

// sweep removes a file without a row. No Put is between the two meanwhile.
func (k *Keeper) sweep(path string) (removed bool, err error) {
	k.rows.Lock()
	defer k.rows.Unlock()
	if k.isKnown(filepath.Base(path)) {
		return false, nil
	}
	return true, disk.Remove(path)
}

// isKnown reports whether a file has a row. When in doubt it has.
func (k *Keeper) isKnown(name string) bool {
	_, err := k.Find("sha256:" + name)
	return !errors.Is(err, store.ErrNotFound)
}

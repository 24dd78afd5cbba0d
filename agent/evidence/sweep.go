package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"branchbot/agent/store"
)

// Sweep removes files that a crash left without a row, and tells how many. Files
// changed after the given time stay: their row may be under way.
func (k *Keeper) Sweep(ctx context.Context, before time.Time) (swept int, err error) {
	err = filepath.WalkDir(k.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || !info.ModTime().Before(before) || k.isKnown(entry.Name()) {
			return err
		}
		swept++
		return os.Remove(path)
	})
	if err != nil {
		return swept, fmt.Errorf("sweep evidence: %w", err)
	}
	return swept, nil
}

// isKnown reports whether a file has a row. When in doubt it has.
func (k *Keeper) isKnown(name string) bool {
	_, err := k.Find("sha256:" + name)
	return !errors.Is(err, store.ErrNotFound)
}

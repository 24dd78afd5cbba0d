package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"branchbot/internal/fault"
)

// LockFileName is the file whose lock is the data folder's. bbolt locks its own
// file too, but that one is closed and exchanged (compaction, a failed disk, a
// file set aside), and nobody may slip in then.
const LockFileName = "branchbot.lock"

// lockFolder takes the data folder for this process; code data_in_use. One that
// is just being let go is waited for.
func lockFolder(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, LockFileName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, diskError(err)
	}
	deadline := time.NewTimer(lockTimeout)
	defer deadline.Stop()
	again := time.NewTicker(lockTimeout / 6)
	defer again.Stop()
	for tryLock(file) != nil {
		select {
		case <-again.C:
		case <-deadline.C:
			return nil, errors.Join(inUse(dir), file.Close())
		}
	}
	return file, nil
}

func inUse(dir string) error {
	return fault.New(fault.Usage, "data_in_use", "the data folder %s belongs to another branchbot that is running", dir).
		WithHint("ask the running agent: use `branchbot trigger`, or stop it first")
}

// removeUnfinished removes what a crash left of files that were being written.
// Called with the folder locked.
func removeUnfinished(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, TempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("remove unfinished files: %w", err)
	}
	return nil
}

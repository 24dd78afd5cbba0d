package headoffice

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"branchbot/internal/fault"
)

// lockFile is locked by who serves a data folder, and by who replaces it.
const lockFile = "headoffice.lock"

// lock takes the data folder for serving or replacing; code head_office_running.
// The commands that work beside a server do not take it.
func lock(data string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := tryLock(file); err != nil {
		busy := fault.New(fault.Usage, "head_office_running", "a head office is running on the data folder %s", data).
			WithHint("Stop it first.")
		return nil, errors.Join(busy, file.Close())
	}
	return file, nil
}

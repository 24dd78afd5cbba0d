package headoffice

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes a file for this process alone, until it is closed.
func tryLock(file *os.File) error {
	return windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
}

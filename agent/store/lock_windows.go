package store

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes a file for this process alone. The system frees it when the file
// is closed or the process dies.
func tryLock(file *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}

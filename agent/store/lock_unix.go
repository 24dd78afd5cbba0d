//go:build !windows

package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes a file for this process alone. The system frees it when the file
// is closed or the process dies.
func tryLock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

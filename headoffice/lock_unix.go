//go:build !windows

package headoffice

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes a file for this process alone, until it is closed.
func tryLock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

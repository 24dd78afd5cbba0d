package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Allocate gives a file size bytes of real blocks.
func Allocate(file *os.File, size int64) error {
	err := unix.Fallocate(int(file.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return fill(file, size)
	}
	return err
}

// Forget drops what the system remembers of a file's bytes, so that the next
// reader gets them from the disk. Best effort: bytes not written yet stay.
func Forget(file *os.File) { _ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) }

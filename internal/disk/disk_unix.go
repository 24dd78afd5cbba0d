//go:build !windows

package disk

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Measure tells the room of the file system that holds path.
func Measure(path string) (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return Space{}, err
	}
	size := int64(stat.Bsize) //nolint:unconvert // other types elsewhere
	return Space{Free: int64(stat.Bavail) * size, Total: int64(stat.Blocks) * size}, nil
}

func fullTexts() []string { return []string{syscall.ENOSPC.Error(), syscall.EDQUOT.Error()} }

//go:build !windows

package disk

import (
	"os"
	"syscall"
)

// shared reports whether a file has more than one name.
func shared(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return true
	}
	stat, isUnix := info.Sys().(*syscall.Stat_t)
	return isUnix && stat.Nlink > 1
}

// noFollow refuses to open what a link points to.
const noFollow = syscall.O_NOFOLLOW

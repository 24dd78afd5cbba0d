package disk

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// memoryFolder is where Linux has a file system in memory that everybody may use.
const memoryFolder = "/dev/shm"

// Memory is a folder on a file system in memory, "" where there is none.
func Memory() string {
	var stat unix.Statfs_t
	if unix.Statfs(memoryFolder, &stat) != nil || stat.Type != unix.TMPFS_MAGIC {
		return ""
	}
	return memoryFolder
}

// Private makes a folder that is ours alone, and reports whether it is. Others may
// write beside it: a link or a folder of theirs is not taken.
func Private(folder string) bool { return os.Mkdir(folder, 0o700) == nil || Owned(folder) }

// Owned reports whether a folder is there and ours alone.
func Owned(folder string) bool {
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	stat, isUnix := info.Sys().(*syscall.Stat_t)
	return isUnix && int(stat.Uid) == os.Geteuid()
}

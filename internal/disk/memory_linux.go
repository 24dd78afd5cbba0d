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

// Private reports whether a folder is ours alone, and makes it when it is not
// there. Others may write beside it: a link or a folder of theirs is not taken.
func Private(folder string) bool {
	if err := os.Mkdir(folder, 0o700); err == nil {
		return true
	}
	info, err := os.Lstat(folder)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	stat, isUnix := info.Sys().(*syscall.Stat_t)
	return isUnix && int(stat.Uid) == os.Geteuid()
}

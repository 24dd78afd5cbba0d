//go:build !windows

package health

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lowSpace is where results still fit and evidence is shed.
const lowSpace = 512 << 20

func diskSpace(dir string) Check {
	var stat unix.Statfs_t
	err := unix.Statfs(dir, &stat)
	for err == unix.ENOENT && dir != filepath.Dir(dir) { // not made yet: its parent's disk
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &stat)
	}
	if err != nil {
		return problem("disk_space", Warning, "", "cannot be measured: %v", err)
	}
	free := stat.Bavail * uint64(stat.Bsize)
	if free < lowSpace {
		return problem("disk_space", Failed, "make room: below 256 MiB evidence is no longer kept", "%d MiB free", free>>20)
	}
	return ok("disk_space", "%d MiB free", free>>20)
}

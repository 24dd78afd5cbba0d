package runner

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// killHolders kills every other process that has the file open: an earlier runner
// of the run whose agent is gone, and what it left behind.
func killHolders(path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	open, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is right; what may not be read is not ours
	for _, link := range open {
		target, err := os.Readlink(link)
		if err != nil || target != path {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

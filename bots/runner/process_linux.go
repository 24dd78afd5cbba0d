package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine puts the runner into a group of its own and lets it die with the agent.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// kill ends the runner and what stayed in its group. Its browser has a group of
// its own and dies by its death signal.
func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// rss is the memory in bytes that the runner and its descendants (its browser)
// hold for themselves; pages shared among them do not count many times.
func (p *process) rss() int64 {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right; a process that left is no error
	for _, path := range stats {
		if pid, parent, ok := parentOf(path); ok {
			parents[pid] = parent
		}
	}
	var total int64
	for pid := range parents {
		if descends(parents, pid, p.cmd.Process.Pid) {
			total += private(pid)
		}
	}
	return total
}

func descends(parents map[int]int, pid, ancestor int) bool {
	for range 64 { // deeper than any real tree; ends a loop of recycled ids
		if pid == ancestor {
			return true
		}
		if pid = parents[pid]; pid <= 1 {
			return false
		}
	}
	return false
}

// parentOf reads "pid (name) state ppid …"; the name may hold anything.
func parentOf(path string) (pid, parent int, ok bool) {
	line, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	head, rest, found := strings.Cut(string(line), " (")
	fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
	if !found || len(fields) < 2 {
		return 0, 0, false
	}
	pid, err1 := strconv.Atoi(head)
	parent, err2 := strconv.Atoi(fields[1])
	return pid, parent, err1 == nil && err2 == nil
}

// private is resident less shared, of statm.
func private(pid int) int64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// LimitMemory sets the soft limit of this process's data segment. The hard
// limit stays, so that the browser's helper can take it back (a browser needs
// more than a script). RLIMIT_AS cannot be used: neither Go nor Chromium starts under it.
func LimitMemory(bytes int64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("read memory limit: %w", err)
	}
	limit.Cur = min(uint64(bytes), limit.Max)
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return fmt.Errorf("set memory limit: %w", err)
	}
	return nil
}

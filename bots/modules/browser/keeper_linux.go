package browser

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"branchbot/internal/fault"
)

// Keep is the hidden subcommand named in host.BrowserSettings.Helper: it starts
// Chromium (path, flags) and sees that nothing of it is left. It gives back the
// memory limit that the runner lives under, and stays: a kernel that finds an
// orphan of the browser (its crash handlers leave their parent and their group)
// makes it a child of this process. When the runner's end of the standard input
// closes, for whatever reason, or the browser ends, all of them are killed, and
// the profile, its working folder, is wiped.
//
// Descriptors 3 and 4, the debugging pipe, are the browser's alone.
func Keep(args []string) error {
	if len(args) == 0 {
		return fault.New(fault.Usage, "browser_helper", "the browser helper needs a command")
	}
	if err := restoreData(); err != nil {
		return fmt.Errorf("restore memory limit: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt the browser's orphans: %w", err)
	}
	profile, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the profile: %w", err)
	}
	runtime.LockOSThread() // the browser's death signal follows this thread
	browser, err := begin(args)
	if err != nil {
		return fmt.Errorf("start %s: %w", args[0], err)
	}
	go func() { // ends with this process
		_, _ = io.Copy(io.Discard, os.NewFile(0, "life"))
		_ = syscall.Kill(browser, syscall.SIGKILL)
	}()
	outlive(browser)
	return wipe(profile)
}

// begin starts the browser as a child and gives it the debugging pipe.
func begin(args []string) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(args[0], args, &syscall.ProcAttr{
		Env: new(exec.Cmd).Environ(), Files: []uintptr{null.Fd(), null.Fd(), 2, 3, 4},
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	return pid, errors.Join(err, null.Close(), syscall.Close(3), syscall.Close(4))
}

// outlive waits for the browser, then ends whatever it has left behind. A child
// of a process that was reaped is ours before the reaping is told, so that the
// next look finds it: no child left means nothing left.
func outlive(browser int) {
	for over := false; ; {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
		if over = over || pid == browser; over {
			killChildren()
		}
	}
}

func killChildren() {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && parentOf(path) == os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // gone already is fine
		}
	}
}

// parentOf reads "pid (name) state parent …"; the name may hold anything.
func parentOf(path string) int {
	line, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}

// restoreData lifts the soft data limit to the hard one.
func restoreData() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_DATA, &limit)
}

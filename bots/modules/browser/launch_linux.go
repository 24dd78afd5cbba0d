package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"branchbot/internal/fault"
)

// spawn starts Chromium, through the helper when one is configured, with the
// debugging pipe as descriptors 3 and 4 and in a process group of its own.
func (l launch) spawn(path string, flags []string) (*process, error) {
	fromUs, toBrowser, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open browser pipe: %w", err)
	}
	fromBrowser, toUs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open browser pipe: %w", err), fromUs.Close(), toBrowser.Close())
	}
	p := &process{pipe: newPipe(toBrowser, fromBrowser), profile: l.profile(), done: make(chan struct{}), noise: &tail{}}
	cmd := l.command(path, flags)
	cmd.Stderr = p.noise
	cmd.ExtraFiles = []*os.File{fromUs, toUs}
	started := make(chan error, 1)
	go p.own(cmd, started)
	err = <-started
	err = errors.Join(err, fromUs.Close(), toUs.Close())
	if err != nil {
		return nil, errors.Join(fault.New(fault.Application, "browser_start", "start %s: %w", path, err).
			WithHint("check browser.path and run install/deps.sh"), p.pipe.Close())
	}
	p.pid = cmd.Process.Pid
	p.kill = func() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) } // gone already is fine
	return p, nil
}

func (l launch) command(path string, flags []string) *exec.Cmd {
	args := append([]string{path}, flags...)
	if helper := l.settings.Helper; len(helper) > 0 {
		args = append(append(append([]string{}, helper...), strconv.Itoa(os.Getpid())), args...)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // the browser outlives the call that starts it; Close ends it
	cmd.Env = l.environment(cmd.Environ())
	cmd.Dir = l.profile()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second // a straggling child must not hold stderr for ever
	return cmd
}

// temporary is where the browser puts its temporary files: its profile, which is
// its working folder. Called by that short name, since it makes a socket there
// and the path of a socket has 108 bytes at most.
func temporary(string) string { return "/proc/self/cwd" }

// own starts the browser and waits for it on one thread that lives as long as
// the browser does: the death signal follows the thread, not the process.
func (p *process) own(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = cmd.Wait() // it is killed on purpose; how it ended says nothing
	close(p.done)
}

// Become turns the calling process into Chromium: the hidden subcommand named
// in host.BrowserSettings.Helper calls it with the arguments it was given
// (parent's process id, path, flags). It gives back the memory limit that the
// runner lives under, makes sure that the browser dies with its parent, and
// returns only on error. Descriptors 3 and 4 pass through.
func Become(args []string) error {
	if len(args) < 2 {
		return fault.New(fault.Usage, "browser_helper", "browser helper needs a parent and a command")
	}
	parent, err := strconv.Atoi(args[0])
	if err != nil {
		return fault.New(fault.Usage, "browser_helper", "parent %q is not a process id", args[0])
	}
	runtime.LockOSThread() // limits belong to the process, the death signal to this thread
	if err := restoreData(); err != nil {
		return fmt.Errorf("restore memory limit: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set death signal: %w", err)
	}
	if os.Getppid() != parent {
		return fault.New(fault.Application, "browser_orphan", "the runner is gone")
	}
	browser := exec.Cmd{Path: args[1], Args: args[1:]} // with the environment that we were given
	return fmt.Errorf("become %s: %w", browser.Path, syscall.Exec(browser.Path, browser.Args, browser.Environ()))
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

package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"branchbot/internal/fault"
)

// killLimit is how long the keeper may take to end the browser.
const killLimit = 5 * time.Second

// spawn starts Chromium under its keeper, with the debugging pipe as descriptors
// 3 and 4 and in a process group of their own.
func (l launch) spawn(path, profile string) (*process, error) {
	if len(l.settings.Helper) == 0 {
		return nil, fault.New(fault.Application, "browser_start", "no browser helper is configured")
	}
	fromUs, toBrowser, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open browser pipe: %w", err)
	}
	fromBrowser, toUs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open browser pipe: %w", err), fromUs.Close(), toBrowser.Close())
	}
	p := &process{pipe: newPipe(toBrowser, fromBrowser), profile: profile, done: make(chan struct{}), noise: &tail{}}
	cmd := l.command(path, profile)
	cmd.Stderr = p.noise
	cmd.ExtraFiles = []*os.File{fromUs, toUs}
	p.life, err = cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err = errors.Join(err, fromUs.Close(), toUs.Close()); err != nil {
		return nil, errors.Join(fault.New(fault.Application, "browser_start", "start %s: %w", path, err).
			WithHint("check browser.path and run install/deps.sh"), p.pipe.Close())
	}
	p.pid = cmd.Process.Pid
	go p.own(cmd) // kill waits for it
	return p, nil
}

// command is the keeper that starts the browser and outlives it.
func (l launch) command(path, profile string) *exec.Cmd {
	args := append(append(slices.Clone(l.settings.Helper), path), l.flags(profile, os.Geteuid() == 0)...)
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // the browser outlives the call that starts it; Close ends it
	cmd.Env = l.environment(cmd.Environ(), profile)
	cmd.Dir = profile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 2 * time.Second // of a keeper that was killed, what it kept may hold stderr for a moment
	return cmd
}

// own reaps the keeper: nothing of the browser is left then.
func (p *process) own(cmd *exec.Cmd) {
	_ = cmd.Wait() // it is killed on purpose; how it ended says nothing
	close(p.done)
}

// kill ends the browser with all that came of it. The keeper does it; one that
// cannot is killed with the whole group.
func (p *process) kill() {
	_ = p.life.Close() // closed already is fine
	late := time.AfterFunc(killLimit, func() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) })
	defer late.Stop()
	<-p.done
}

// temporary is where the browser puts its temporary files: its profile, which is
// its working folder. Called by that short name, since it makes a socket there
// and the path of a socket has 108 bytes at most.
func temporary(string) string { return "/proc/self/cwd" }

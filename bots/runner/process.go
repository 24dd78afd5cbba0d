package runner

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"branchbot/internal/fault"
)

// process is a started runner.
type process struct {
	cmd   *exec.Cmd
	in    *os.File // the runner's standard input
	out   *os.File // the runner's standard output
	noise *noise
	ended chan error
}

// launch starts the runner from a thread that lives as long as the runner does:
// the death signal of Linux follows the starting thread, not the process.
func launch(o Options) (_ *process, err error) {
	var lock *os.File
	if o.Lock != "" {
		if lock, err = claim(o.Lock); err != nil {
			return nil, err
		}
		defer func() { _ = lock.Close() }() // the runner has its own
	}
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fault.New(fault.Application, "runner_start", "make the runner's pipe: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fault.New(fault.Application, "runner_start", "make the runner's pipe: %w", errors.Join(err, childIn.Close(), in.Close()))
	}
	p := &process{cmd: command(o), in: in, out: out, noise: &noise{}, ended: make(chan error, 1)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = childIn, childOut, p.noise
	if lock != nil {
		p.cmd.ExtraFiles = []*os.File{lock}
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := p.cmd.Start()
		started <- err
		if err == nil {
			ended := p.cmd.Wait()
			p.hangUp()
			p.ended <- ended
		}
	}()
	err = <-started
	_ = errors.Join(childIn.Close(), childOut.Close()) // the child holds its own ends now
	if err != nil {
		_ = errors.Join(in.Close(), out.Close())
		return nil, fault.New(fault.Application, "runner_start", "start the runner: %w", err)
	}
	return p, nil
}

func command(o Options) *exec.Cmd {
	args := append(slices.Clone(o.Command[1:]), "--memory", strconv.FormatInt(o.Memory, 10))
	cmd := exec.Command(o.Command[0], args...) //nolint:noctx // Supervise ends it, and lets it report first
	cmd.Env = append(slices.Clone(o.Env), "GOMEMLIMIT="+strconv.FormatInt(o.Memory*9/10, 10))
	cmd.WaitDelay = time.Second // a grandchild that inherited stderr must not hold us up
	confine(cmd)
	return cmd
}

// hangUp ends the reading and writing of a pipe whose runner is dead, even if a
// process that the runner left behind holds its ends. What the runner said last
// is read first.
func (p *process) hangUp() {
	_ = p.in.Close()
	_ = p.out.SetReadDeadline(time.Now().Add(farewell))
}

// wait closes the pipe, which ends a runner that is still there; one that stays
// is killed. It returns once the process is reaped.
func (p *process) wait(grace time.Duration) error {
	_ = p.in.Close()
	late := time.AfterFunc(grace, p.kill)
	defer late.Stop()
	err := <-p.ended
	_ = p.out.Close()
	return err
}

// lastWords says in one line why the runner ended: the first line of a panic or
// of the Go runtime's own end, else the last line on stderr.
func (p *process) lastWords() string { return p.noise.told() }

// outOfMemory reports whether the Go runtime ended at its data limit.
func (p *process) outOfMemory() bool {
	words := p.lastWords()
	return strings.HasPrefix(words, "fatal error:") && (strings.Contains(words, "memory") || strings.Contains(words, "cannot allocate"))
}

// noise keeps, of what a runner writes to stderr, the line that tells.
type noise struct {
	mu    sync.Mutex
	line  []byte // unfinished
	cause string // the first that names a cause
	last  string
}

// maxLine bounds what is kept of a line.
const maxLine = 1024

func (n *noise) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.line = append(n.line, b...)
	for {
		line, rest, found := bytes.Cut(n.line, []byte("\n"))
		if !found {
			n.line = n.line[:min(len(n.line), maxLine)]
			return len(b), nil
		}
		n.note(string(line[:min(len(line), maxLine)]))
		n.line = bytes.Clone(rest)
	}
}

func (n *noise) note(line string) {
	if n.cause == "" && (strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "panic:")) {
		n.cause = line
	}
	if strings.TrimSpace(line) != "" {
		n.last = line
	}
}

func (n *noise) told() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cause != "" {
		return n.cause
	}
	return n.last
}

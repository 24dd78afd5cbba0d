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
	tail  *tail
	ended chan error
}

// launch starts the runner from a thread that lives as long as the runner does:
// the death signal of Linux follows the starting thread, not the process.
func launch(o Options) (*process, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fault.New(fault.Application, "runner_start", "make the runner's pipe: %w", err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fault.New(fault.Application, "runner_start", "make the runner's pipe: %w", errors.Join(err, childIn.Close(), in.Close()))
	}
	p := &process{cmd: command(o), in: in, out: out, tail: &tail{}, ended: make(chan error, 1)}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = childIn, childOut, p.tail
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.ended <- p.cmd.Wait()
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
	cmd := exec.Command(o.Command[0], args...)
	cmd.Env = append(slices.Clone(o.Env), "GOMEMLIMIT="+strconv.FormatInt(o.Memory*9/10, 10))
	cmd.WaitDelay = time.Second // a grandchild that inherited stderr must not hold us up
	confine(cmd)
	return cmd
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

// lastWords is the end of what the runner wrote to stderr (a panic, mostly).
func (p *process) lastWords() string { return p.tail.String() }

// tail keeps the last 4 KiB written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - 4096; over > 0 {
		t.buf = bytes.Clone(t.buf[over:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

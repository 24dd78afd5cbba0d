package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"branchbot/internal/fault"
)

// Daemon is a running program. Its log goes into a file of the world's folder.
type Daemon struct {
	cmd   *exec.Cmd
	log   string
	mu    sync.Mutex
	over  chan struct{}
	ended error
}

// start starts a program and returns when it says that it listens.
func (w *World) start(ctx context.Context, name string, args ...string) (*Daemon, error) {
	cmd := exec.Command(filepath.Join(w.o.Programs, name), args...)
	cmd.Env = w.o.Env
	detach(cmd)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	d := &Daemon{cmd: cmd, log: w.Path(name + ".log"), over: make(chan struct{})}
	logged, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), logged.Close())
	}
	ready := make(chan struct{})
	go func() {
		defer close(d.over)
		follow(stderr, logged, ready)
		d.end(errors.Join(cmd.Wait(), logged.Close()))
	}()
	select {
	case <-ready:
		return d, nil
	case <-d.over:
		tail, _ := os.ReadFile(d.log) // best effort: the error says the rest
		return nil, fault.New(fault.Application, "daemon_ended", "%s ended: %v: %s", name, d.err(), tail)
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), d.Stop())
	}
}

// follow copies a log and tells when "listening" appears in it.
func follow(from io.Reader, to io.Writer, ready chan<- struct{}) {
	lines := bufio.NewReader(from)
	for told := false; ; {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(to, line) // a full disk must not stop the program
		if !told && strings.Contains(line, "listening") {
			told = true
			close(ready)
		}
		if err != nil {
			return
		}
	}
}

func (d *Daemon) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = err
}

func (d *Daemon) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

// Pid is the program's process id.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Log is everything that the program has logged.
func (d *Daemon) Log() string {
	raw, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Stop ends the program as an administrator would and waits for it.
func (d *Daemon) Stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is waited for below
	late := time.AfterFunc(30*time.Second, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	<-d.over
	return d.err()
}

// Kill ends the program at once, as a power cut would, and waits for it.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill() // one that has ended is waited for below
	<-d.over
	d.end(nil)
}

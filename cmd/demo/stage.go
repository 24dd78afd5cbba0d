package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/bank"
	"branchbot/internal/testkit/specimen"
	"branchbot/internal/wire"
)

// stage holds everything the demo started.
type stage struct {
	inv   *cli.Invocation
	dir   string
	began time.Time
	ms    map[string]int64

	site       *bank.Site
	serving    *bank.Running
	headOffice string
	daemons    []*daemon
	person     specimen.Person

	run          wire.Run
	atHeadOffice json.RawMessage
}

type daemon struct {
	cmd   *exec.Cmd
	ended chan error
}

// say tells what goes on, on stderr.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.inv.Err, "%6.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// program is one of ours, beside the demo.
func (s *stage) program(name string) string {
	return filepath.Join(filepath.Dir(s.inv.Executable), name)
}

// command runs one of our programs to its end and returns what it printed.
func (s *stage) command(ctx context.Context, input, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.program(name), args...)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(input), &out, &problem, s.inv.Environ
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(problem.String()))
	}
	return out.Bytes(), nil
}

func (s *stage) device(ctx context.Context, input string, args ...string) ([]byte, error) {
	return s.command(ctx, input, "branchbot", append(args, "--config", s.path("device.yaml"))...)
}

// daemon starts one of our programs and returns when it says that it listens.
// Its log goes into a file of the demo's folder.
func (s *stage) daemon(ctx context.Context, name string, args ...string) error {
	cmd := exec.Command(s.program(name), args...)
	cmd.Env = s.inv.Environ
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	logged, err := os.Create(s.path(name + ".log"))
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", name, err), logged.Close())
	}
	d := &daemon{cmd: cmd, ended: make(chan error, 1)}
	s.daemons = append(s.daemons, d)
	ready := make(chan struct{})
	go func() {
		follow(stderr, logged, ready)
		d.ended <- errors.Join(cmd.Wait(), logged.Close())
	}()
	select {
	case <-ready:
		return nil
	case err := <-d.ended:
		d.ended <- err
		tail, _ := os.ReadFile(s.path(name + ".log")) // best effort: the error says the rest
		return fault.New(fault.Application, "demo_failed", "%s ended: %v: %s", name, err, tail)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow copies a log and tells when "listening" appears in it.
func follow(from io.Reader, to io.Writer, ready chan<- struct{}) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for told := false; lines.Scan(); {
		fmt.Fprintln(to, lines.Text())
		if !told && strings.Contains(lines.Text(), "listening") {
			told = true
			close(ready)
		}
	}
}

// close ends what was started, the last first.
func (s *stage) close() error {
	var problems []error
	for i := len(s.daemons) - 1; i >= 0; i-- {
		d := s.daemons[i]
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is waited for below
		late := time.AfterFunc(10*time.Second, func() { _ = d.cmd.Process.Kill() })
		if err := <-d.ended; err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", filepath.Base(d.cmd.Path), err))
		}
		late.Stop()
	}
	if s.serving != nil {
		problems = append(problems, s.serving.Close())
	}
	return errors.Join(problems...)
}

// panel and console are links that open the pages.
func (s *stage) panel() string {
	out, err := s.device(s.inv.Ctx, "", "panel")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

func (s *stage) console() string {
	out, err := s.command(s.inv.Ctx, "", "headoffice", "console-link", "--config", s.path("headoffice.yaml"))
	if err != nil {
		return s.headOffice
	}
	return strings.TrimSpace(string(out))
}

// freeAddress gives the wanted address, or another port where it is taken.
func freeAddress(wanted string) (string, error) {
	for _, address := range []string{wanted, "127.0.0.1:0"} {
		listener, err := net.Listen("tcp", address)
		if err == nil {
			address = listener.Addr().String()
			return address, listener.Close()
		}
	}
	return "", fault.New(fault.Application, "port_taken", "no free port on 127.0.0.1")
}

// find returns the line of a run.
func find(lines []byte, id string) (json.RawMessage, bool) {
	for line := range bytes.Lines(lines) {
		var head struct {
			Run string `json:"run"`
		}
		if json.Unmarshal(line, &head) == nil && head.Run == id {
			return json.RawMessage(bytes.TrimSpace(line)), true
		}
	}
	return nil, false
}

package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"branchbot/agent/control"
	"branchbot/internal/fault"
)

// tortured is one life of the tortured agent.
type tortured struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	said   chan saying
	over   chan struct{} // closed when it is reaped
	client *control.Client
}

// startLimit bounds how long an agent may take until it listens: its database is small.
const startLimit = time.Minute

// start brings the agent to life, armed for the blow, and waits until it listens
// or is held at the blow's point already.
func (o Options) start(ctx context.Context, b blow) (t *tortured, held bool, err error) {
	cmd := exec.Command(o.Agent[0], append(slices.Clone(o.Agent[1:]), "--data", o.Dir, "--point", b.point, "--passing", strconv.Itoa(b.passing))...) //nolint:noctx // it is killed by torture, and ends with its standard input
	cmd.Env = o.Env
	detach(cmd)
	logged, err := os.OpenFile(o.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("open the tortured agent's log: %w", err)
	}
	defer func() { _ = logged.Close() }() // the agent has its own
	cmd.Stderr = logged
	t = &tortured{cmd: cmd, said: make(chan saying, 4), over: make(chan struct{})}
	if t.orders, err = cmd.StdinPipe(); err != nil {
		return nil, false, fmt.Errorf("start agent: %w", err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, false, fmt.Errorf("start agent: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, false, fmt.Errorf("start agent: %w", err)
	}
	go t.listen(answers)
	held, err = t.ready(ctx, o)
	return t, held, err
}

func (o Options) log() string { return filepath.Join(o.Dir, "torture.log") }

// listen owns the agent's process: it hears what is said and reaps.
func (t *tortured) listen(answers io.Reader) {
	lines := bufio.NewScanner(answers)
	for lines.Scan() {
		var s saying
		if json.Unmarshal(lines.Bytes(), &s) == nil {
			t.said <- s
		}
	}
	_ = t.cmd.Wait() // how it ended says nothing: it is killed
	close(t.over)
}

// ready waits until the agent listens, or is held at a point before that.
func (t *tortured) ready(ctx context.Context, o Options) (held bool, err error) {
	s, heard := t.hear(ctx, startLimit)
	switch {
	case heard && s.Say == sayReached:
		return true, nil
	case heard:
		door, err := control.ReadDoor(o.Dir)
		if err != nil {
			return false, errors.Join(err, t.kill())
		}
		t.client = control.NewClient(door)
		return false, nil
	case ctx.Err() != nil:
		return false, errors.Join(context.Cause(ctx), t.kill())
	}
	return false, errors.Join(fault.New(fault.Application, "torture_agent", "the agent did not start: %s", lastLine(o.log())), t.kill())
}

// order tells the agent something; one that is dead hears nothing.
func (t *tortured) order(o order) {
	line, err := json.Marshal(o)
	if err == nil {
		_, _ = t.orders.Write(append(line, '\n'))
	}
}

// arm makes the agent stop at the blow's point.
func (t *tortured) arm(b blow) { t.order(order{Do: doArm, Point: b.point, Passing: b.passing}) }

// catch waits until the agent is held where it is armed, or gives up when limit is over.
func (t *tortured) catch(ctx context.Context, limit time.Duration) (held bool) {
	if s, heard := t.hear(ctx, limit); heard {
		return s.Say == sayReached
	}
	t.order(order{Do: doDisarm})
	s, heard := t.hear(context.WithoutCancel(ctx), startLimit) // disarmed, or reached in the meantime
	return heard && s.Say == sayReached
}

// hear returns what the agent says next, unless it dies or is silent for too long.
func (t *tortured) hear(ctx context.Context, limit time.Duration) (s saying, heard bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case s = <-t.said:
		return s, true
	case <-t.over:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s, false
}

// release lets the agent go on from where it is held.
func (t *tortured) release() { t.order(order{Do: doGo}) }

// kill ends the agent as a power cut would and waits until it is reaped.
func (t *tortured) kill() error {
	err := t.cmd.Process.Kill()
	<-t.over
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// stopLimit bounds a stop in good order; a runner may finish its submit.
const stopLimit = 45 * time.Second

// stop ends the agent as an administrator would. Code torture_agent when it does not end.
func (t *tortured) stop() error {
	_ = t.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is waited for below
	late := time.NewTimer(stopLimit)
	defer late.Stop()
	select {
	case <-t.over:
		return nil
	case <-late.C:
		return errors.Join(fault.New(fault.Application, "torture_agent", "the agent did not end %s after it was told to", stopLimit), t.kill())
	}
}

// lastLine is the end of a log, for an error.
func lastLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(raw))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

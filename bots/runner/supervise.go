package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// Options say how a runner process is started and bounded.
type Options struct {
	Command []string      // program and arguments of the runner
	Env     []string      // its environment
	Memory  int64         // soft RLIMIT_DATA in bytes
	RSS     int64         // private resident bytes of runner and browser at which both are killed
	Grace   time.Duration // after cancel or deadline, before the kill
}

// Supervise starts a runner, serves its calls from h and returns what it
// reported. ctx's end cancels the run; the runner then has Grace to report.
// Whatever happens the process is gone and reaped when Supervise returns.
// start.Deadline must be set. A runner that ends without a report is the application fault runner_died.
func Supervise(ctx context.Context, o Options, start *host.Start, h host.Host) (host.Finish, error) {
	process, err := launch(o)
	if err != nil {
		return host.Finish{}, err
	}
	s := &session{pipe: newPipe(process.out, process.in), host: h, finish: make(chan host.Finish, 1)}
	killed := s.watch(ctx, o, process, start)
	readErr := s.serve(ctx, start)
	waitErr := process.wait(o.Grace)
	cause := killed()
	select {
	case finish := <-s.finish:
		return finish, nil
	default:
	}
	if cause != nil {
		return host.Finish{}, cause
	}
	if strings.Contains(process.lastWords(), "memory") { // the Go runtime's words at its data limit
		return host.Finish{}, tooLarge(o.Memory)
	}
	return host.Finish{}, fault.New(fault.Application, "runner_died", "the runner ended without a report: %w (%s)",
		errors.Join(readErr, waitErr), process.lastWords()).
		WithHint("the run can be taken up again from its journal: branchbot run --resume").Retry()
}

// session is the agent's side of one pipe.
type session struct {
	pipe   *pipe
	host   host.Host
	calls  sync.WaitGroup
	finish chan host.Finish
}

// serve reads the runner's messages until it ends. Calls run side by side.
// A call's context outlives a cancelled run: what was sent must still be written down.
func (s *session) serve(ctx context.Context, start *host.Start) error {
	defer s.calls.Wait()
	if err := s.pipe.write(kindStart, 0, "", start, nil); err != nil {
		return fmt.Errorf("send start: %w", err)
	}
	for {
		m, err := s.pipe.read()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch m.Kind {
		case kindCall:
			s.calls.Go(func() { s.answer(context.WithoutCancel(ctx), m) })
		case kindEvent:
			var event host.Event
			if json.Unmarshal(m.Body, &event) == nil {
				s.host.Observe(event)
			}
		case kindFinish:
			var finish host.Finish
			if err := json.Unmarshal(m.Body, &finish); err != nil {
				return fault.New(fault.Application, "pipe_damaged", "decode finish: %w", err)
			}
			s.finish <- finish
			return nil
		}
	}
}

func (s *session) answer(ctx context.Context, m message) {
	out, err := s.dispatch(ctx, m)
	if err != nil {
		out = nil
	}
	// A reply that cannot be written finds its runner dead; serve sees that too.
	_ = s.pipe.write(kindReply, m.ID, m.Method, out, err)
}

func (s *session) dispatch(ctx context.Context, m message) (any, error) {
	switch m.Method {
	case methodAppend:
		return handle(ctx, m.Body, func(ctx context.Context, r wire.JournalRecord) (any, error) { return s.host.Append(ctx, r) })
	case methodSecret:
		return handle(ctx, m.Body, func(ctx context.Context, name string) (any, error) { return s.host.Secret(ctx, name) })
	case methodDocument:
		return handle(ctx, m.Body, func(ctx context.Context, r ocr.Request) (any, error) { return s.host.ReadDocument(ctx, r) })
	case methodEvidence:
		return handle(ctx, m.Body, func(ctx context.Context, e host.Evidence) (any, error) { return s.host.PutEvidence(ctx, e) })
	default:
		return nil, fault.New(fault.Application, "pipe_damaged", "unknown method %q", m.Method)
	}
}

func handle[In any](ctx context.Context, body json.RawMessage, do func(context.Context, In) (any, error)) (any, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fault.New(fault.Application, "pipe_damaged", "decode call: %w", err)
	}
	return do(ctx, in)
}

// watch owns the runner's end: cancel first, then the kill; and the kill at
// once when it grows over its memory. The returned function stops watching and
// tells why the runner was killed, nil if it was not.
func (s *session) watch(ctx context.Context, o Options, process *process, start *host.Start) func() error {
	done, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- s.bound(ctx, o, process, start, done) }()
	return func() error { close(done); return <-stopped }
}

func (s *session) bound(ctx context.Context, o Options, process *process, start *host.Start, done <-chan struct{}) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	deadline := time.NewTimer(time.Until(start.Deadline) + o.Grace)
	defer deadline.Stop()
	cancelled := ctx.Done()
	for {
		select {
		case <-done:
			return nil
		case <-cancelled:
			cancelled = nil
			deadline.Reset(o.Grace)
			_ = s.pipe.write(kindCancel, 0, "", nil, context.Cause(ctx)) // a runner that cannot hear is killed below
		case <-deadline.C:
			process.kill()
			return fault.New(fault.Application, "run_deadline", "the runner did not end within its time and was stopped")
		case <-tick.C:
			if rss := process.rss(); o.RSS > 0 && rss > o.RSS {
				process.kill()
				return tooLarge(o.RSS)
			}
		}
	}
}

func tooLarge(limit int64) error {
	return fault.New(fault.Application, "run_memory", "the run needed more than its %d MiB of memory and was stopped", limit>>20).
		WithHint("the script or its page builds something too large; raise limits.memory in pack.yaml if it must")
}

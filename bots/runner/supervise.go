package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	// Lock is a file that the runner keeps locked as long as it lives, also when
	// the agent is killed: no second runner works on the same run. "" for none.
	Lock string
}

// CodeDied is the code of a runner that ended without a report. Its run can go on
// from the journal in another one.
const CodeDied = "runner_died"

const (
	// callsAtOnce bounds what a runner may have under way; it waits for the rest.
	callsAtOnce = 8
	// farewell is how long a runner may stay after its last word.
	farewell = 2 * time.Second
)

// Supervise starts a runner, serves its calls from h and returns what it
// reported. ctx's end cancels the run; the runner then has Grace to report.
// Whatever happens the process is gone and reaped, and no call of h is under way,
// when Supervise returns. start.Deadline must be set.
// Codes: runner_start, runner_alive, runner_died, run_deadline, run_memory, pipe_damaged.
func Supervise(ctx context.Context, o Options, start *host.Start, h host.Host) (host.Finish, error) {
	process, err := launch(o)
	if err != nil {
		return host.Finish{}, err
	}
	// What was sent must still be written down when the run is cancelled, so the
	// calls end with the process and not with ctx.
	calls, gone := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{pipe: newPipe(process.out, process.in, maxCall), host: h, begun: make(chan struct{}), slots: make(chan struct{}, callsAtOnce)}
	killed := s.watch(ctx, o, process, start)
	finish, readErr := s.serve(calls, start)
	waitErr := process.wait(farewell)
	gone()
	s.calls.Wait()
	cause := killed()
	switch {
	case finish != nil:
		return *finish, nil
	case cause != nil:
		return host.Finish{}, cause
	case process.outOfMemory():
		return host.Finish{}, tooLarge(o.Memory)
	case fault.HasCode(readErr, codeDamaged):
		return host.Finish{}, readErr
	}
	return host.Finish{}, fault.New(fault.Application, CodeDied, "the runner ended without a report: %w (%s)",
		errors.Join(readErr, waitErr), process.lastWords()).
		WithHint("see the device's log; the run goes on from its journal if it can").Retry()
}

// session is the agent's side of one pipe.
type session struct {
	pipe  *pipe
	host  host.Host
	begun chan struct{} // closed once the start message is written: it goes before all others
	calls sync.WaitGroup
	slots chan struct{}
}

// serve reads the runner's messages until its last one. Calls run side by side.
func (s *session) serve(ctx context.Context, start *host.Start) (*host.Finish, error) {
	if err := s.pipe.write(kindStart, 0, "", start, nil); err != nil {
		return nil, fmt.Errorf("send start: %w", err)
	}
	close(s.begun)
	for {
		m, err := s.pipe.read()
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // it left without a word
		}
		if err != nil {
			return nil, err
		}
		switch m.Kind {
		case kindCall:
			s.slots <- struct{}{}
			s.calls.Go(func() {
				defer func() { <-s.slots }()
				s.answer(ctx, m)
			})
		case kindEvent:
			var event host.Event
			if json.Unmarshal(m.Body, &event) == nil {
				s.host.Observe(event)
			}
		case kindFinish:
			finish := new(host.Finish)
			if err := json.Unmarshal(m.Body, finish); err != nil {
				return nil, damaged("decode finish: %w", err)
			}
			return finish, nil
		default:
			return nil, damaged("unknown message %q", m.Kind)
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
		return nil, damaged("unknown method %q", m.Method)
	}
}

func handle[In any](ctx context.Context, body json.RawMessage, do func(context.Context, In) (any, error)) (any, error) {
	var in In
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, damaged("decode call: %w", err)
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
	var telling sync.WaitGroup // a runner that does not listen must not hold up its kill
	defer telling.Wait()
	cancelled := ctx.Done()
	for {
		select {
		case <-done:
			return nil
		case <-cancelled:
			cancelled = nil
			deadline.Reset(o.Grace)
			telling.Go(func() {
				select {
				case <-s.begun:
					_ = s.pipe.write(kindCancel, 0, "", nil, context.Cause(ctx))
				case <-done:
				}
			})
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

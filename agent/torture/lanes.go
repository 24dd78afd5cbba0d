package torture

import (
	"context"
	"errors"
	"sync"
	"time"

	"branchbot/agent/control"
	"branchbot/agent/run"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// house is where the tortured agent lives: lanes ask it for the one that is alive.
type house struct {
	mu     sync.Mutex
	agent  *tortured
	moved  chan struct{} // closed when another agent has come
	client *control.Client
}

func newHouse() *house { return &house{moved: make(chan struct{})} }

// moveIn makes known that a new agent listens.
func (h *house) moveIn(t *tortured) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agent, h.client = t, t.client
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *house) now() (*control.Client, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.client, h.moved
}

// lanes keep the device busy: each asks for a run, waits until it is over or
// needs a person, and asks for the next.
type lanes struct {
	o     Options
	house *house

	mu      sync.Mutex
	asked   int             // runs asked for
	told    map[string]bool // runs that the device has acknowledged
	problem error           // that ends torture: the pack cannot run here at all
}

// work runs one lane until stop is closed or the inputs are used up.
func (l *lanes) work(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		more, err := l.once(ctx)
		if err != nil {
			l.fail(err)
		}
		if err != nil || !more {
			return
		}
	}
}

func (l *lanes) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.problem == nil {
		l.problem = err
	}
}

// failed is what ends torture early, nil if nothing does.
func (l *lanes) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problem
}

func (l *lanes) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return l.asked
}

func (l *lanes) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// once asks for one run and follows it to its end. A run whose agent died before
// it answered may exist or not: the audit sees it, nobody follows it.
func (l *lanes) once(ctx context.Context) (more bool, err error) {
	trigger, err := l.o.Inputs(l.number())
	if errors.Is(err, ErrUsedUp) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	trigger.Trigger, trigger.By = run.TriggerAPI, wire.By{Person: "torture", Kind: wire.BySystem}
	client, moved := l.house.now()
	view, err := client.Trigger(ctx, trigger)
	if gone(err) {
		awaitMove(ctx, moved)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	l.told[view.Run] = true
	l.mu.Unlock()
	l.follow(ctx, view.Run)
	return true, nil
}

// follow waits for the end of a run, over all the agents that it takes.
func (l *lanes) follow(ctx context.Context, id string) {
	for {
		client, moved := l.house.now()
		_, err := client.Await(ctx, id)
		if ctx.Err() != nil || !gone(err) { // over, in doubt; or lost, which the audit finds
			return
		}
		awaitMove(ctx, moved)
	}
}

// gone tells that the agent was killed, or is stopping, while it was asked.
func gone(err error) bool {
	return errors.Is(err, control.ErrNoAgent) || fault.HasCode(err, "agent_reply") || fault.HasCode(err, run.ErrStopping.Code)
}

// awaitMove waits for the next agent, a while: the one that did not answer may
// live yet.
func awaitMove(ctx context.Context, moved <-chan struct{}) {
	again := time.NewTimer(time.Second)
	defer again.Stop()
	select {
	case <-moved:
	case <-again.C:
	case <-ctx.Done(): // torture ends; that is no problem of the lane
	}
}

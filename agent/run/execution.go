package run

import (
	"context"
	"errors"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/bots/runner"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Execute runs a created or interrupted run in a runner of its own until it is
// over, waits for a person, is in doubt, or the agent stops. Should the runner
// die, the run goes on in another one. It returns the run as it then stands. How
// the run ended is in the run; an error means that it could not begin (code
// run_not_queued) or that its end could not be written down.
func (m *Manager) Execute(ctx context.Context, id string, manner Manner) (wire.Run, error) {
	ctx, cancel := withReason(ctx)
	defer cancel(nil)
	act, err := m.begin(ctx, id, cancel)
	if err != nil {
		return wire.Run{}, err
	}
	defer m.end(id, act)
	e := &execution{m: m, act: act, id: id, manner: manner, ctx: ctx}
	defer e.release()
	finish, err := e.work()
	switch {
	case err != nil:
		return wire.Run{}, err
	case finish == nil:
		return m.Get(id)
	case unwritten(*finish):
		return wire.Run{}, fault.New(fault.Application, finish.Exception.Code, "%s", finish.Exception.Message).WithHint("%s", finish.Exception.Hint).Retry()
	case e.stopping() && (finish.State == wire.Cancelled || finish.State == wire.InDoubt):
		return m.pause(context.WithoutCancel(ctx), id) // cut short by our own end: it goes on at the next start
	}
	view, err := m.conclude(context.WithoutCancel(ctx), id, *finish)
	if refusedByDisk(err) {
		m.keep(id, finish)
	}
	return view, err
}

// execution is one Execute under way.
type execution struct {
	m      *Manager
	act    *activity
	id     string
	manner Manner
	ctx    context.Context    // ends when the run is to stop
	stop   context.CancelFunc // of a context of its own, nil while it has none
	wanted *host.Finish       // how the run ends, once a runner has looked its submit up
}

func (e *execution) release() {
	if e.stop != nil {
		e.stop()
	}
}

func (e *execution) stopping() bool { return errors.Is(context.Cause(e.ctx), ErrStopping) }

// work gives the run one runner after the other until it has come to an end, or
// until another one is no use: then it stands as it is, without a finish.
func (e *execution) work() (*host.Finish, error) {
	always := context.WithoutCancel(e.ctx)
	for {
		view, records, err := e.m.open(always, e.id)
		if err != nil {
			return nil, err
		}
		finish, err := e.serve(view, records)
		finish, over := e.judge(records, finish, err)
		if over {
			return &finish, nil
		}
		e.m.o.Logger.Warn("runner ended without a report", "run", e.id, "error", err)
		if again, err := e.m.takeUp(always, e.id, true); err != nil || !again {
			return nil, err
		}
	}
}

// serve runs the run in one runner, after what is left of the wait for it.
func (e *execution) serve(view wire.Run, records []wire.JournalRecord) (host.Finish, error) {
	if err := e.m.rest(e.ctx, records); err != nil {
		return host.Finish{}, err
	}
	return e.m.supervise(e.ctx, view, records, e.manner)
}

// judge says how the run ends, and whether it is over. A run whose runner was
// stopped with a submit that may have been sent is not: one more looks it up.
func (e *execution) judge(records []wire.JournalRecord, finish host.Finish, err error) (host.Finish, bool) {
	replaced := err == nil && finish.Exception != nil && finish.Exception.Code == codeRestored
	if (replaced || fault.HasCode(err, runner.CodeDied)) && e.ctx.Err() == nil {
		return finish, false
	}
	finish = ended(e.ctx, e.act, records, finish, err)
	switch {
	case e.stopping():
		return finish, true
	case e.wanted != nil && finish.State != wire.Succeeded && finish.State != wire.InDoubt:
		return *e.wanted, true
	case e.wanted != nil || err == nil || !e.m.isOpen(e.id):
		return finish, true
	}
	e.onlyLook(finish)
	return finish, false
}

// onlyLook goes on in a context that ends with the agent only, to learn what
// became of the submit; the run then ends as it would have ended now.
func (e *execution) onlyLook(wanted host.Finish) {
	e.wanted, e.manner.settleOnly = &wanted, true
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(e.ctx))
	stop := context.AfterFunc(e.m.ctx, func() { cancel(context.Cause(e.m.ctx)) })
	e.ctx, e.stop = ctx, func() { stop(); cancel(nil) }
}

// isOpen reports whether a submit of the run may have been sent and nobody knows.
func (m *Manager) isOpen(id string) bool {
	open := true // what cannot be read may have been sent
	_ = m.o.Store.View(func(tx *store.Tx) error {
		records, err := journal.Read(tx, id)
		if err == nil {
			_, open = journal.OpenSubmit(records)
		}
		return err
	})
	return open
}

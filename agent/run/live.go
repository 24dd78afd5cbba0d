package run

import (
	"context"
	"slices"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Get returns a run as it stands now; code run_unknown.
func (m *Manager) Get(id string) (wire.Run, error) {
	var view wire.Run
	err := m.o.Store.View(func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		return m.refresh(tx, &view)
	})
	return m.withLive(view), err
}

// refresh fills in what only the journal knows.
func (m *Manager) refresh(tx *store.Tx, view *wire.Run) error {
	records, err := journal.Read(tx, view.Run)
	if err != nil {
		return err
	}
	told := journal.Describe(records)
	view.Steps, view.Submits = told.Steps, told.Submits
	return nil
}

// withLive adds the steps that have begun and not ended.
func (m *Manager) withLive(view wire.Run) wire.Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	if act := m.active[view.Run]; act != nil && view.State == wire.Running {
		for _, step := range act.running {
			known := func(s wire.StepView) bool { return s.Name == step.Name && s.State == step.State }
			if !slices.ContainsFunc(view.Steps, known) { // the journal tells of it once something in it is done
				view.Steps = append(view.Steps, step)
			}
		}
		view.Forms = append([]wire.FormView{}, act.forms...)
	}
	return view
}

// List returns up to limit runs, newest first.
func (m *Manager) List(limit int) ([]wire.Run, error) {
	var runs []wire.Run
	err := m.o.Store.View(func(tx *store.Tx) error {
		var err error
		runs, err = journal.ListRuns(tx, journal.Filter{Limit: limit})
		return err
	})
	return runs, err
}

// Await returns when the run is final, waits for a person or is in doubt.
func (m *Manager) Await(ctx context.Context, id string) (wire.Run, error) {
	updates, leave := m.Watch(id)
	defer leave()
	for {
		view, err := m.Get(id)
		if err != nil || settled(view.State) {
			return view, err
		}
		select {
		case <-updates:
		case <-ctx.Done():
			return view, context.Cause(ctx)
		case <-m.ctx.Done():
			return view, ErrStopping
		}
	}
}

func settled(state wire.RunState) bool {
	return state.Final() || state == wire.WaitingOn || state == wire.InDoubt
}

// Watch returns a channel that gets the run after every change, the newest one
// only; id "" watches every run. leave must be called.
func (m *Manager) Watch(id string) (updates <-chan wire.Run, leave func()) {
	ch := make(chan wire.Run, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watchers[id] == nil {
		m.watchers[id] = map[chan wire.Run]struct{}{}
	}
	m.watchers[id][ch] = struct{}{}
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers[id], ch)
		if len(m.watchers[id]) == 0 {
			delete(m.watchers, id)
		}
	}
}

// publish hands a changed run to its watchers. A slow watcher sees the newest only.
func (m *Manager) publish(view wire.Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range []string{view.Run, ""} {
		for ch := range m.watchers[id] {
			select {
			case <-ch:
			default:
			}
			ch <- view
		}
	}
}

// observe takes a runner's event into the live view.
func (m *Manager) observe(id string, event host.Event) {
	m.mu.Lock()
	if act := m.active[id]; act != nil {
		act.take(event)
	}
	m.mu.Unlock()
	m.changed(id)
}

// take follows the steps that run now and the forms that were filled.
// Called with the manager locked.
func (a *activity) take(event host.Event) {
	switch {
	case event.Kind == "form" && event.Form != nil:
		if len(a.forms) < maxForms {
			a.forms = append(a.forms, bounded(*event.Form))
		}
	case event.Kind != "step" && event.Kind != "call":
	case event.State == "running":
		if len(a.running) == maxRunning { // no script nests this deep
			return
		}
		a.running = append(a.running, wire.StepView{Name: event.Name, Kind: event.Kind, State: "running", Attempts: max(event.Attempt, 1)})
	default:
		for i, step := range a.running {
			if step.Name == event.Name && step.Kind == event.Kind {
				a.running = append(a.running[:i:i], a.running[i+1:]...)
				return
			}
		}
	}
}

// maxRunning bounds the steps and calls that are under way at a time.
const maxRunning = 64

// changed publishes the run as it stands, if somebody watches. Best effort: a view that cannot be
// read now is read again by whoever asks.
func (m *Manager) changed(id string) {
	m.mu.Lock()
	watched := len(m.watchers[id]) + len(m.watchers[""])
	m.mu.Unlock()
	if watched == 0 {
		return
	}
	if view, err := m.Get(id); err == nil {
		m.publish(view)
	} else if !fault.HasCode(err, "run_unknown") {
		m.o.Logger.Warn("run could not be shown", "run", id, "error", err)
	}
}

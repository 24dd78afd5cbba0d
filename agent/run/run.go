// Package run starts runs, answers their runners and writes down how they end.
//
// What always holds: a run exists once its START is journaled; it is over once
// its END, its view and its outbox row are written in one transaction; a run
// whose submit may have been sent never ends failed or cancelled, it becomes
// in_doubt and a person decides.
package run

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/packs"
	"branchbot/agent/store"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// ErrStopping is the cause with which a stopping agent ends runs at their last
// journal record; they go on at the next start.
var ErrStopping = fault.New(fault.Interrupted, "agent_stopping", "the agent is stopping; the run goes on at its next start")

// Options are the parts a Manager works with.
type Options struct {
	Config   configs.Device
	Store    *store.Store
	Evidence *evidence.Keeper
	Packs    *packs.Packs
	Engine   ocr.Engine
	Runner   []string // command of the runner process
	Helper   []string // command that becomes the browser
	Env      []string // environment of the runner
	Roots    []byte   // PEM, the bank's own CAs
	Now      func() time.Time
	Logger   *slog.Logger
	Reported func() // called after an outbox row was written
	// Rest is the wait before a runner that died is replaced; it doubles each time
	// that the run gets no further. A second when zero.
	Rest time.Duration
	// Admit refuses new runs, with a code, while there is no room for them. Nil admits all.
	Admit func() error
}

// Manager owns the runs of a device.
type Manager struct {
	o     Options
	lines map[string]*line // attended and background, by trigger
	ctx   context.Context  // of all runs; ends with ErrStopping
	stop  context.CancelCauseFunc
	runs  sync.WaitGroup

	mu       sync.Mutex
	active   map[string]*activity
	watchers map[string]map[chan wire.Run]struct{} // "" watches all
	late     map[string]late                       // runs that the disk kept from going on
}

// activity is a run that has a runner now.
type activity struct {
	cancel  context.CancelCauseFunc
	over    chan struct{}   // closed when the run has none any more
	running []wire.StepView // steps begun and not yet journaled
	forms   []wire.FormView
}

// New makes a manager. It starts nothing.
func New(o Options) *Manager {
	if o.Rest <= 0 {
		o.Rest = time.Second
	}
	ctx, stop := context.WithCancelCause(context.Background())
	attended, background := newLine(o.Config.Runs.Attended), newLine(o.Config.Runs.Background)
	return &Manager{
		o: o, ctx: ctx, stop: stop,
		lines: map[string]*line{
			TriggerManual: attended, TriggerAPI: attended,
			TriggerSchedule: background, TriggerCommand: background,
		},
		active: map[string]*activity{}, watchers: map[string]map[chan wire.Run]struct{}{}, late: map[string]late{},
	}
}

// Triggers of a run.
const (
	TriggerManual   = "manual"
	TriggerSchedule = "schedule"
	TriggerAPI      = "api"
	TriggerCommand  = "command"
)

// Close stops every run at its last journal record and waits for them. It may
// be called twice.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.stop(ErrStopping) // from now on Go starts nothing
	m.mu.Unlock()
	m.runs.Wait()
	m.leave()
	return nil
}

// Go executes a created run in the background, when its turn comes: in the order
// of the calls. In an agent that stops it stays queued for the next start.
func (m *Manager) Go(id, trigger string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	line := m.lines[trigger]
	if line == nil || m.ctx.Err() != nil {
		return
	}
	turn := line.join()
	m.runs.Go(func() {
		select {
		case <-turn:
			defer line.leave()
		case <-m.ctx.Done():
			return
		}
		_, err := m.Execute(m.ctx, id, Manner{})
		if err != nil && !fault.HasCode(err, codeNotQueued) { // cancelled while it waited
			m.o.Logger.Error("run could not be executed", "run", id, "error", err)
		}
		if refusedByDisk(err) {
			m.wait(id, late{trigger: trigger})
		}
	})
}

// Manner is how one execution differs from the device's configuration.
type Manner struct {
	Headed     bool
	settleOnly bool
}

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/bots/runner"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// grace is how long a runner may take to report after its end was asked for. A
// submit that is under way learns its outcome in that time.
const grace = 30 * time.Second

// codeNotQueued is the code of a run that is over, or needs a person.
const codeNotQueued = "run_not_queued"

// withReason is a context whose cause is always a coded one that says that
// somebody stopped the run: the runner hears of it.
func withReason(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		cause := context.Cause(parent)
		if fault.Of(cause).Class != fault.Interrupted {
			cause = fault.New(fault.Interrupted, "cancelled", "cancelled: %w", cause)
		}
		cancel(cause)
	})
	return ctx, func(cause error) { stop(); cancel(cause) }
}

func (m *Manager) stands(id string, err error) (wire.Run, error) {
	if err != nil {
		return wire.Run{}, err
	}
	return m.Get(id)
}

// begin takes the run for this execution. One that is about to end is waited for.
func (m *Manager) begin(ctx context.Context, id string, cancel context.CancelCauseFunc) (*activity, error) {
	for {
		m.mu.Lock()
		before := m.active[id]
		if before == nil {
			act := &activity{cancel: cancel, over: make(chan struct{})}
			m.active[id] = act
			m.mu.Unlock()
			return act, nil
		}
		m.mu.Unlock()
		select {
		case <-before.over:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (m *Manager) end(id string, act *activity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.active, id)
	close(act.over)
}

func (m *Manager) activity(id string) *activity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.active[id]
}

func (m *Manager) supervise(ctx context.Context, view wire.Run, records []wire.JournalRecord, manner Manner) (host.Finish, error) {
	if ctx.Err() != nil { // cancelled before it began
		return host.Finish{}, context.Cause(ctx)
	}
	bot, err := m.o.Packs.ByDigest(view.Digest)
	if err != nil {
		return host.Finish{}, err
	}
	if err := m.mayRun(view.Trust); err != nil {
		return host.Finish{}, err
	}
	if err := os.MkdirAll(filepath.Dir(m.lock(view.Run)), 0o700); err != nil {
		return host.Finish{}, fmt.Errorf("make folder of locks: %w", err)
	}
	scratch := m.scratch(view.Run)
	defer m.wipe(scratch)
	start, err := m.start(ctx, view, bot, records, scratch)
	if err != nil {
		return host.Finish{}, err
	}
	start.Browser.Headed = start.Browser.Headed || manner.Headed
	start.SettleOnly = start.SettleOnly || manner.settleOnly
	d := &door{
		m: m, run: view.Run, by: view.By, manifest: bot.Manifest, origins: view.Origins, scratch: scratch,
		stopped: func() error { return context.Cause(ctx) }, logger: m.o.Logger.With("run", view.Run),
	}
	_, open := journal.OpenSubmit(records)
	d.unsettled.Store(open)
	d.lookFirst = start.LookFirst
	return runner.Supervise(ctx, m.limits(view.Run, bot.Manifest), start, d)
}

// open reads what a runner needs and marks the run as running.
func (m *Manager) open(ctx context.Context, id string) (view wire.Run, records []wire.JournalRecord, err error) {
	err = m.o.Store.Update(ctx, func(tx *store.Tx) error {
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		if view.State != wire.Queued {
			return fault.New(fault.Usage, codeNotQueued, "the run %s is %s", id, view.State)
		}
		if records, err = journal.Read(tx, id); err != nil {
			return err
		}
		view.State, view.Exception = wire.Running, nil
		return journal.PutRun(tx, view)
	})
	switch {
	case err == nil:
		m.publish(view)
	case fault.HasCode(err, "journal_damaged"):
		err = errors.Join(err, m.lost(ctx, id, err))
	}
	return view, records, err
}

// lookFirst: something may have been sent that this device does not remember.
func (m *Manager) lookFirst(records []wire.JournalRecord) bool {
	on := true // a store that cannot be read says nothing
	err := m.o.Store.View(func(tx *store.Tx) error {
		_, on = journal.LookFirst(tx)
		return nil
	})
	return err != nil || on || journal.WasRestored(records)
}

// start lays the run's files into its scratch folder and writes the start message.
func (m *Manager) start(ctx context.Context, view wire.Run, bot *pack.Pack, records []wire.JournalRecord, scratch string) (*host.Start, error) {
	if len(records) == 0 || records[0].Kind != wire.RecordStart {
		return nil, fault.New(fault.Application, "journal_damaged", "the journal of %s has no start", view.Run)
	}
	var begun wire.StartData
	if err := json.Unmarshal(records[0].Data, &begun); err != nil {
		return nil, fmt.Errorf("decode start of %s: %w", view.Run, err)
	}
	m.wipe(scratch)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", disk.ScratchError(err))
	}
	inputs, err := m.layFiles(ctx, bot.Manifest, begun.Inputs, scratch)
	if err != nil {
		return nil, err
	}
	archive, err := bot.Zip()
	if err != nil {
		return nil, fmt.Errorf("pack for the runner: %w", err)
	}
	_, asked := cancelAsked(records)
	return &host.Start{
		LookFirst: m.lookFirst(records), SettleOnly: asked,
		Run: view.Run, Bot: view.Bot, Trust: view.Trust, Pack: archive, Digest: view.Digest, Inputs: inputs,
		Origins: view.Origins, Roots: m.o.Roots, Journal: records, Scratch: scratch,
		Deadline: m.o.Now().Add(m.runTime(bot.Manifest)),
		Browser: host.BrowserSettings{
			Path: m.o.Config.Browser.Path, Headed: m.o.Config.Browser.Headed, Language: m.o.Config.Browser.Language,
			Proxy: m.o.Config.Proxy, Helper: m.o.Helper,
		},
	}, nil
}

// layFiles decrypts the run's input files into scratch and names their places.
func (m *Manager) layFiles(ctx context.Context, manifest *pack.Manifest, raw json.RawMessage, scratch string) (map[string]json.RawMessage, error) {
	inputs := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &inputs); err != nil {
		return nil, fmt.Errorf("decode inputs: %w", err)
	}
	for _, input := range manifest.Inputs {
		value, given := inputs[input.Name]
		if input.Type != pack.TypeFile || !given || string(value) == "null" {
			continue
		}
		var file modules.File
		if err := json.Unmarshal(value, &file); err != nil {
			return nil, fmt.Errorf("decode input %s: %w", input.Name, err)
		}
		content, err := m.o.Evidence.Get(ctx, file.Digest)
		if err != nil {
			return nil, fmt.Errorf("read input %s: %w", input.Name, err)
		}
		file.Path = filepath.Join(scratch, input.Name)
		if err := os.WriteFile(file.Path, content, 0o600); err != nil {
			return nil, fmt.Errorf("lay input %s: %w", input.Name, disk.ScratchError(err))
		}
		if inputs[input.Name], err = json.Marshal(file); err != nil {
			return nil, fmt.Errorf("encode input %s: %w", input.Name, err)
		}
	}
	return inputs, nil
}

func (m *Manager) runTime(manifest *pack.Manifest) time.Duration {
	if manifest.Limits.Time > 0 {
		return manifest.Limits.Time
	}
	return m.o.Config.Limits.RunTime
}

func (m *Manager) limits(id string, manifest *pack.Manifest) runner.Options {
	memory := int64(m.o.Config.Limits.RunMemory)
	if manifest.Limits.Memory > 0 {
		memory = manifest.Limits.Memory
	}
	return runner.Options{
		Command: m.o.Runner, Env: m.o.Env, Memory: memory, RSS: int64(m.o.Config.Limits.RunRSS), Grace: grace,
		Lock: m.lock(id),
	}
}

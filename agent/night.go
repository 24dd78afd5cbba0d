package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"branchbot/agent/run"
	"branchbot/agent/schedules"
	"branchbot/agent/store"
	"branchbot/configs"
	"branchbot/internal/wire"
	"branchbot/scheduler"
)

// night is the loop of the configured schedules; code schedule_invalid.
func (a *Agent) night() (*scheduler.Loop, error) {
	list, err := schedules.Parse(a.o.Config.Schedules)
	if err != nil {
		return nil, err
	}
	configured := map[string]configs.Schedule{}
	for _, s := range a.o.Config.Schedules {
		configured[s.ID()] = s
	}
	missed := func(tx *store.Tx, key scheduler.Key, reason string) error {
		return a.runs.Missed(tx, configured[key.Schedule].Bot, key.Schedule, key.Due, reason)
	}
	begin := func(ctx context.Context, key scheduler.Key) error {
		return a.begin(ctx, configured[key.Schedule], func(tx *store.Tx) error { return schedules.Begun(tx, key) })
	}
	fired := schedules.NewFired(a.store, missed)
	fired.Told = a.uplink.Wake
	return scheduler.New(list, fired, begin, a.logger("scheduler"), scheduler.WithClock(a.o.Now)), nil
}

// begin writes a scheduled run down, with what else with writes in the same
// transaction, and queues it.
func (a *Agent) begin(ctx context.Context, s configs.Schedule, with func(tx *store.Tx) error) error {
	values := map[string]json.RawMessage{}
	for name, value := range s.Inputs {
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode input %s: %w", name, err)
		}
		values[name] = raw
	}
	view, err := a.runs.Create(ctx, run.Request{
		Bot: s.Bot, Values: values, Trigger: run.TriggerSchedule, By: wire.By{Person: s.ID(), Kind: wire.BySystem}, With: with,
	})
	if err != nil {
		a.owing.Store(true) // perhaps: makeUp looks
		return err
	}
	a.runs.Go(view.Run, view.Trigger)
	return nil
}

// makeUp starts late what a full disk kept from starting, where the schedule says
// for how long that is wanted.
func (a *Agent) makeUp(ctx context.Context) {
	if !a.owing.Swap(false) {
		return
	}
	owed, err := schedules.NewFired(a.store, nil).Owed(ctx, "disk_critical", "disk_full", "disk_failed")
	for _, key := range owed {
		err = errors.Join(err, a.makeUpFor(ctx, key))
	}
	if err != nil && ctx.Err() == nil {
		a.owing.Store(true) // the next look tries again
		a.o.Logger.Warn("missed schedules could not be made up for", "error", err)
	}
}

func (a *Agent) makeUpFor(ctx context.Context, key scheduler.Key) error {
	for _, s := range a.o.Config.Schedules {
		late := a.o.Now().Sub(key.Due)
		if s.ID() != key.Schedule || late < 0 || late > s.Late {
			continue
		}
		a.o.Logger.Info("missed schedule is made up for", "schedule", key.Schedule, "due", key.Due)
		return a.begin(ctx, s, func(tx *store.Tx) error { return schedules.MadeUp(tx, key) })
	}
	return nil
}

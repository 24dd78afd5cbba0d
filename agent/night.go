package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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
	begin := func(ctx context.Context, id string, _ time.Time) error { return a.begin(ctx, configured[id]) }
	return scheduler.New(list, schedules.NewFired(a.store, missed), begin, a.logger("scheduler"), scheduler.WithClock(a.o.Now)), nil
}

// begin writes a scheduled run down and queues it.
func (a *Agent) begin(ctx context.Context, s configs.Schedule) error {
	values := map[string]json.RawMessage{}
	for name, value := range s.Inputs {
		raw, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode input %s: %w", name, err)
		}
		values[name] = raw
	}
	view, err := a.runs.Create(ctx, run.Request{
		Bot: s.Bot, Values: values, Trigger: run.TriggerSchedule, By: wire.By{Person: s.ID(), Kind: wire.BySystem},
	})
	if err != nil {
		return err
	}
	a.runs.Go(view.Run, view.Trigger)
	return nil
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/schedules"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
)

const (
	tidyEvery    = time.Hour
	claimsAtOnce = 1000 // business keys looked at in one transaction
	runsAtOnce   = 50   // runs forgotten in one
	compactEvery = time.Minute
)

// tidy forgets, every hour, what the device need no longer keep. What fails now
// is tried again in an hour. All ages are the steady clock's: see store.Steady.
func (a *Agent) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		a.tidyOnce(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Agent) tidyOnce(ctx context.Context) {
	for _, forget := range []func(context.Context) error{a.wipeEvidence, a.forgetRecords, a.forgetClaims, a.forgetRuns, a.forgetFires, a.keepTime} {
		if err := forget(ctx); err != nil && ctx.Err() == nil {
			a.o.Logger.Warn("could not tidy", "error", err)
		}
	}
}

// keepTime writes the steady clock down.
func (a *Agent) keepTime(ctx context.Context) error { return a.store.Update(ctx, store.KeepTime) }

// wipeEvidence removes what head office has had for evidence.days, and files
// that a crash left without a row. Without a head office pictures go with their runs.
func (a *Agent) wipeEvidence(ctx context.Context) error {
	days, alone := a.o.Config.Evidence.Days, !a.enrolled()
	if alone {
		days = max(days, a.o.Config.Runs.KeepDays)
	}
	if _, err := a.evidence.Wipe(ctx, a.before(days), alone); err != nil {
		return fmt.Errorf("wipe evidence: %w", err)
	}
	if _, err := a.evidence.Sweep(ctx); err != nil {
		return fmt.Errorf("sweep evidence: %w", err)
	}
	return nil
}

// before is the steady time so many days ago.
func (a *Agent) before(days int) time.Time {
	return a.store.Steady().Add(-time.Duration(days) * 24 * time.Hour)
}

// enrolled reports whether a head office waits for what this device has. When in
// doubt it does.
func (a *Agent) enrolled() bool {
	err := a.store.View(func(tx *store.Tx) error {
		_, err := vault.GetIdentity(tx)
		return err
	})
	return !fault.HasCode(err, "not_enrolled")
}

func (a *Agent) forgetRecords(ctx context.Context) error {
	if err := a.store.Update(ctx, outbox.Forget); err != nil {
		return fmt.Errorf("forget sent records: %w", err)
	}
	for more := !a.enrolled(); more; {
		err := a.store.Update(ctx, func(tx *store.Tx) error {
			var err error
			more, err = outbox.KeepNewest(tx, outbox.KeepRecords)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget old records: %w", err)
		}
	}
	return nil
}

// forgetClaims frees business keys whose window is over, a part at a time.
func (a *Agent) forgetClaims(ctx context.Context) error {
	for next := []byte{}; next != nil; {
		err := a.store.Update(ctx, func(tx *store.Tx) error {
			var err error
			next, err = journal.ForgetClaims(tx, next, claimsAtOnce)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget business keys: %w", err)
		}
	}
	return nil
}

// forgetRuns forgets runs that are over, by age and above the number kept, once
// head office has their records. Each goes in a transaction of its own.
func (a *Agent) forgetRuns(ctx context.Context) error {
	var over []journal.Over
	waiting := map[string]bool{}
	err := a.store.View(func(tx *store.Tx) error {
		var err error
		over, err = journal.ListOver(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list runs that are over: %w", err)
	}
	old := journal.Old(over, a.before(a.o.Config.Runs.KeepDays), a.o.Config.Runs.KeepCount)
	if len(old) > 0 && a.enrolled() { // after the list: the record of a run that is over is in the outbox
		waiting, err = a.unsent()
	}
	old = slices.DeleteFunc(old, func(id string) bool { return waiting[id] })
	for part := range slices.Chunk(old, runsAtOnce) {
		if err == nil {
			err = a.store.Update(ctx, func(tx *store.Tx) error { return forgetAll(tx, part) })
		}
	}
	if err != nil {
		return fmt.Errorf("forget runs: %w", err)
	}
	return nil
}

func forgetAll(tx *store.Tx, runs []string) error {
	for _, id := range runs {
		if err := journal.Forget(tx, id); err != nil {
			return err
		}
	}
	return nil
}

// unsent are the runs whose records head office does not have, read a part at a time.
func (a *Agent) unsent() (map[string]bool, error) {
	runs := map[string]bool{}
	for next := uint64(1); next != 0; {
		err := a.store.View(func(tx *store.Tx) error {
			subjects, after, err := outbox.Subjects(tx, next, claimsAtOnce)
			for _, subject := range subjects {
				runs[subject] = true
			}
			next = after
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
	}
	return runs, nil
}

func (a *Agent) forgetFires(ctx context.Context) error {
	if err := schedules.NewFired(a.store, nil).Forget(ctx); err != nil {
		return fmt.Errorf("forget firings: %w", err)
	}
	return nil
}

// compact makes the database file small again while nothing happens.
func (a *Agent) compact(ctx context.Context) error {
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if before := a.store.Room(); a.runs.Idle() && wasteful(before) {
			a.compactOnce(ctx, before)
		}
	}
}

func (a *Agent) compactOnce(ctx context.Context, before store.Room) {
	switch err := a.store.Compact(ctx); {
	case err == nil:
		a.o.Logger.Info("database compacted", "before_bytes", before.Size, "after_bytes", a.store.Room().Size)
	case errors.Is(err, store.ErrNeeded), errors.Is(err, store.ErrClosed), ctx.Err() != nil:
	default:
		a.o.Logger.Warn("database could not be compacted", "error", err)
	}
}

// leastCompacted is a file too small to be worth the work.
const leastCompacted = 64 << 20

// wasteful: more than half of a large file is not in use.
func wasteful(room store.Room) bool { return room.Size >= leastCompacted && room.Used < room.Size/2 }

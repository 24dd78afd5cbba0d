package agent

import (
	"context"
	"fmt"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
)

const (
	tidyEvery    = time.Hour
	claimsAtOnce = 1000 // business keys looked at in one transaction
)

// tidy forgets, every hour, what the device need no longer keep. What fails now
// is tried again in an hour.
func (a *Agent) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		for _, forget := range []func(context.Context) error{a.wipeEvidence, a.forgetRecords, a.forgetClaims} {
			if err := forget(ctx); err != nil && ctx.Err() == nil {
				a.o.Logger.Warn("could not tidy", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// wipeEvidence removes what head office has had for evidence.days, and files
// that a crash left without a row.
func (a *Agent) wipeEvidence(ctx context.Context) error {
	now := a.o.Now()
	if _, err := a.evidence.Wipe(ctx, now.AddDate(0, 0, -a.o.Config.Evidence.Days)); err != nil {
		return fmt.Errorf("wipe evidence: %w", err)
	}
	if _, err := a.evidence.Sweep(ctx, now.Add(-tidyEvery)); err != nil {
		return fmt.Errorf("sweep evidence: %w", err)
	}
	return nil
}

func (a *Agent) forgetRecords(ctx context.Context) error {
	if err := a.store.Update(ctx, outbox.Forget); err != nil {
		return fmt.Errorf("forget sent records: %w", err)
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

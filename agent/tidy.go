package agent

import (
	"context"
	"time"

	"branchbot/agent/outbox"
)

// tidyEvery is how often the device forgets what it need no longer keep.
const tidyEvery = time.Hour

// tidy wipes evidence that head office has had for evidence.days, and records
// that were sent long ago. What fails now is tried again in an hour.
func (a *Agent) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		before := a.o.Now().AddDate(0, 0, -a.o.Config.Evidence.Days)
		if wiped, err := a.evidence.Wipe(ctx, before); err != nil && ctx.Err() == nil {
			a.o.Logger.Warn("evidence could not be wiped", "error", err)
		} else if wiped > 0 {
			a.o.Logger.Info("evidence wiped", "pieces", wiped)
		}
		if err := a.store.Update(ctx, outbox.Forget); err != nil && ctx.Err() == nil {
			a.o.Logger.Warn("sent records could not be forgotten", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

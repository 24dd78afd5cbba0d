package run

import (
	"fmt"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Missed writes down, in the caller's transaction, a run that was due and did
// not start, with the reason.
func (m *Manager) Missed(tx *store.Tx, bot, schedule string, due time.Time, reason string) error {
	now := m.o.Now().UTC()
	why := fault.New(fault.Application, "missed", "%s was due at %s and did not start: %s", schedule, due.Format(time.RFC3339), reason).
		WithHint("start it by hand if it is still wanted")
	view := journal.Describe(nil) // empty lists
	view.Run, view.Bot, view.Trigger, view.State = wire.NewID(wire.RunPrefix), bot, TriggerSchedule, wire.Missed
	view.Exception, view.By = host.Exception(why), wire.By{Person: schedule, Kind: wire.BySystem}
	view.BusinessDate, view.Started, view.Finished = due.Local().Format(time.DateOnly), due.UTC(), &now
	if found, err := m.o.Packs.Find(bot); err == nil {
		view.Version, view.Digest = found.Manifest.Version, found.Digest
	}
	if err := journal.PutRun(tx, view); err != nil {
		return fmt.Errorf("write missed run: %w", err)
	}
	return m.report(tx, view)
}

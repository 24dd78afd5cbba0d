package run

import (
	"context"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Cancel asks a run to stop. The wish is journaled first, so that it holds over
// a crash. A run without a runner ends at once; one with a runner is told, and if
// its submit may have been sent it still learns the outcome. So does one that
// broke off: it is taken up again, looks its submit up, and ends.
// Codes: run_unknown, run_over, submit_open.
func (m *Manager) Cancel(ctx context.Context, id string, by wire.By) error {
	var view wire.Run
	var act *activity
	err := m.journaled(ctx, wire.RecordSignal, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		if view.State.Final() {
			return fault.New(fault.Usage, "run_over", "the run %s is over: %s", id, view.State).
				WithHint("`branchbot runs %s` shows how it ended", id)
		}
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if _, asked := cancelAsked(records); !asked {
			if err := journal.Signal(tx, id, by, journal.SignalCancel); err != nil {
				return err
			}
		}
		// A runner that begins after this transaction finds the run over.
		if act = m.activity(id); act != nil {
			return nil
		}
		return m.cancelIdle(tx, &view, records, by)
	})
	switch {
	case err != nil:
		return err
	case act != nil:
		act.cancel(cancelledBy(by))
	default:
		m.reported(view)
	}
	return nil
}

func cancelledBy(by wire.By) *fault.Error {
	return fault.New(fault.Interrupted, "cancelled", "cancelled by %s", by.Person).WithHint("start it again if it is still wanted")
}

// cancelIdle ends a run that has no runner. One that broke off with a submit that
// may have been sent ends when it was taken up and has looked.
func (m *Manager) cancelIdle(tx *store.Tx, view *wire.Run, records []wire.JournalRecord, by wire.By) error {
	_, open := journal.OpenSubmit(records)
	switch {
	case open && settled(view.State):
		return fault.New(fault.Usage, "submit_open", "a form of %s may have been sent; the run cannot be cancelled before somebody says whether it was", view.Run).
			WithHint("branchbot answer %s --as NAME (--submitted REFERENCE | --not-submitted)", view.Run)
	case open:
		return nil
	}
	view.State, view.Exception = wire.Cancelled, host.Exception(cancelledBy(by))
	return m.writeEnd(tx, view)
}

// cancelAsked tells who wants the run to stop; a person's later decision about a
// submit in doubt takes that back.
func cancelAsked(records []wire.JournalRecord) (by wire.By, asked bool) {
	for _, r := range records {
		switch {
		case journal.SignalOf(r) == journal.SignalCancel:
			by, asked = r.By, true
		case r.Kind == wire.RecordReconciled:
			asked = false
		}
	}
	return by, asked
}

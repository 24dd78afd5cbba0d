package run

import (
	"context"
	"encoding/json"
	"fmt"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Signals that are journaled.
const (
	signalCancel = "cancel"
	signalResume = "resume"
)

// signalData is the data of a SIGNAL record.
type signalData struct {
	Signal string `json:"signal"`
}

// signal journals that somebody told the run something.
func signal(tx *store.Tx, id string, by wire.By, what string) error {
	data, err := json.Marshal(signalData{what})
	if err != nil {
		return fmt.Errorf("encode signal: %w", err)
	}
	_, err = journal.Append(tx, wire.JournalRecord{Run: id, Kind: wire.RecordSignal, Data: data, By: by})
	return err
}

// signalOf is what a record tells the run, "" if it is no signal.
func signalOf(r wire.JournalRecord) string {
	var data signalData
	if r.Kind != wire.RecordSignal || json.Unmarshal(r.Data, &data) != nil {
		return ""
	}
	return data.Signal
}

// Cancel asks a run to stop. The wish is journaled first, so that it holds over
// a crash. A run without a runner ends at once; one with a runner is told, and if
// its submit may have been sent it still learns the outcome.
// Codes: run_unknown, run_over, submit_open.
func (m *Manager) Cancel(ctx context.Context, id string, by wire.By) error {
	var view wire.Run
	var act *activity
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		if view.State.Final() {
			return fault.New(fault.Usage, "run_over", "the run %s is over: %s", id, view.State).
				WithHint("`branchbot runs %s` shows how it ended", id)
		}
		if err := signal(tx, id, by, signalCancel); err != nil {
			return err
		}
		// A runner that begins after this transaction finds the run over.
		if act = m.activity(id); act != nil {
			return nil
		}
		return m.cancelIdle(tx, &view, by)
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

// cancelIdle ends a run that has no runner.
func (m *Manager) cancelIdle(tx *store.Tx, view *wire.Run, by wire.By) error {
	records, err := journal.Read(tx, view.Run)
	if err != nil {
		return err
	}
	if _, open := journal.OpenSubmit(records); open {
		return fault.New(fault.Usage, "submit_open", "a form of %s may have been sent; the run cannot be cancelled before somebody says whether it was", view.Run).
			WithHint("branchbot answer %s --as NAME (--submitted REFERENCE | --not-submitted)", view.Run)
	}
	view.State, view.Exception = wire.Cancelled, host.Exception(cancelledBy(by))
	return m.writeEnd(tx, view)
}

// cancelAsked tells who wants the run to stop; a person's later decision about a
// submit in doubt takes that back.
func cancelAsked(records []wire.JournalRecord) (by wire.By, asked bool) {
	for _, r := range records {
		switch {
		case signalOf(r) == signalCancel:
			by, asked = r.By, true
		case r.Kind == wire.RecordReconciled:
			asked = false
		}
	}
	return by, asked
}

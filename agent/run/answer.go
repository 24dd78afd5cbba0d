package run

import (
	"context"
	"encoding/json"
	"fmt"

	"branchbot/agent/control"
	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Answer writes down what a person decided about a run in doubt: the form was
// sent (with its reference there), or it was not. The run can then go on.
// Codes: answer_invalid, not_in_doubt, submit_open.
func (m *Manager) Answer(ctx context.Context, a control.Answer) (wire.Run, error) {
	if a.By.Person == "" {
		return wire.Run{}, fault.New(fault.Usage, "answer_invalid", "who decides is not named").WithHint("--as NAME")
	}
	switch {
	case a.NotSubmitted && a.Cancel: // it is absent, and nothing more shall be done
		if _, err := m.decide(ctx, a, wire.ReconciledData{State: wire.SubmitNotProcessed, By: "person"}); err != nil {
			return wire.Run{}, err
		}
		return m.cancelled(ctx, a)
	case a.Cancel:
		return m.cancelled(ctx, a)
	case a.Submitted != "" && !a.NotSubmitted:
		return m.decide(ctx, a, wire.ReconciledData{
			State: wire.SubmitAcknowledged, By: "person", Receipt: map[string]string{"reference": a.Submitted},
		})
	case a.NotSubmitted && a.Submitted == "":
		return m.decide(ctx, a, wire.ReconciledData{State: wire.SubmitNotProcessed, By: "person"})
	default:
		return wire.Run{}, fault.New(fault.Usage, "answer_invalid", "say one of --submitted REFERENCE, --not-submitted, --cancel")
	}
}

func (m *Manager) cancelled(ctx context.Context, a control.Answer) (wire.Run, error) {
	if err := m.Cancel(ctx, a.Run, a.By); err != nil {
		return wire.Run{}, err
	}
	return m.Get(a.Run)
}

func (m *Manager) decide(ctx context.Context, a control.Answer, told wire.ReconciledData) (wire.Run, error) {
	data, err := json.Marshal(told)
	if err != nil {
		return wire.Run{}, fmt.Errorf("encode decision: %w", err)
	}
	var view wire.Run
	err = m.o.Store.Update(ctx, func(tx *store.Tx) error {
		if view, err = journal.GetRun(tx, a.Run); err != nil {
			return err
		}
		key, err := doubtful(tx, view)
		if err != nil {
			return err
		}
		if _, err := journal.Append(tx, wire.JournalRecord{Run: a.Run, Kind: wire.RecordReconciled, Key: key, Data: data, By: a.By}); err != nil {
			return err
		}
		view.State, view.Exception = wire.Queued, nil
		if err := m.refresh(tx, &view); err != nil {
			return err
		}
		return journal.PutRun(tx, view)
	})
	if err != nil {
		return wire.Run{}, err
	}
	m.publish(view)
	return view, nil
}

// doubtful finds the place of the submit that is open.
func doubtful(tx *store.Tx, view wire.Run) (wire.JournalKey, error) {
	if view.State != wire.InDoubt {
		return wire.JournalKey{}, fault.New(fault.Usage, "not_in_doubt", "the run %s is %s, there is nothing to decide", view.Run, view.State)
	}
	records, err := journal.Read(tx, view.Run)
	if err != nil {
		return wire.JournalKey{}, err
	}
	for i := len(records) - 1; i >= 0; i-- {
		if records[i].Kind == wire.RecordPrepared || records[i].Kind == wire.RecordUnknown {
			return records[i].Key, nil
		}
	}
	return wire.JournalKey{}, fault.New(fault.Application, "journal_damaged", "the run %s is in doubt and has no open submit", view.Run)
}

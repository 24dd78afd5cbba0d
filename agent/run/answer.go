package run

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"branchbot/agent/control"
	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Answer writes down what a person decided about a run in doubt: the form was
// sent (with its reference there), or it was not. The run can then go on, unless
// the person wants no more of it. A run that only waits can be cancelled.
// Codes: answer_invalid, not_in_doubt, submit_open, run_over, run_unknown.
func (m *Manager) Answer(ctx context.Context, a control.Answer) (wire.Run, error) {
	told, err := decision(a)
	if err != nil {
		return wire.Run{}, err
	}
	if told == nil {
		return m.stands(a.Run, m.Cancel(ctx, a.Run, a.By))
	}
	return m.decide(ctx, a, told)
}

// decision is what the answer says about the form, nil if it only cancels.
func decision(a control.Answer) (*wire.ReconciledData, error) {
	reference := strings.TrimSpace(a.Submitted)
	switch {
	case a.By.Person == "":
		return nil, fault.New(fault.Usage, "answer_invalid", "who decides is not named").WithHint("--as NAME")
	case len(a.Fields) > 0:
		return nil, fault.New(fault.Usage, "answer_invalid", "no field of %s waits for a correction", a.Run).
			WithHint("say one of --submitted REFERENCE, --not-submitted, --cancel")
	case len(reference) > maxReference:
		return nil, fault.New(fault.Usage, "answer_invalid", "the reference is longer than %d bytes", maxReference).WithHint("the number that the business system shows")
	case reference != "" && !a.NotSubmitted && !a.Cancel:
		return &wire.ReconciledData{State: wire.SubmitAcknowledged, By: byPerson, Receipt: map[string]string{"reference": reference}}, nil
	case a.NotSubmitted && reference == "":
		return &wire.ReconciledData{State: wire.SubmitNotProcessed, By: byPerson}, nil
	case a.Cancel && reference == "":
		return nil, nil //nolint:nilnil // nothing is said about the form
	}
	return nil, fault.New(fault.Usage, "answer_invalid", "that is no one decision").
		WithHint("say one of --submitted REFERENCE, --not-submitted, --cancel")
}

const (
	byPerson     = "person"
	maxReference = 200
)

// decide journals the decision and, with it, whether the run goes on: in one
// transaction, or a crash in between would send the form again.
func (m *Manager) decide(ctx context.Context, a control.Answer, told *wire.ReconciledData) (wire.Run, error) {
	data, err := json.Marshal(told)
	if err != nil {
		return wire.Run{}, fmt.Errorf("encode decision: %w", err)
	}
	var view wire.Run
	err = m.journaled(ctx, wire.RecordReconciled, func(tx *store.Tx) error {
		if view = journal.View(tx, a.Run); view.Exception != nil && view.Exception.Code == "run_unknown" {
			_, err := journal.GetRun(tx, a.Run)
			return err
		}
		key, err := doubtful(tx, view)
		if fault.HasCode(err, "journal_damaged") {
			return m.endLost(tx, &view, a, *told)
		}
		if err != nil {
			return err
		}
		if _, err := journal.Append(tx, wire.JournalRecord{Run: a.Run, Kind: wire.RecordReconciled, Key: key, Data: data, By: a.By}); err != nil {
			return err
		}
		if a.Cancel {
			return m.cancelAnswered(tx, &view, a.By)
		}
		if err := journal.Signal(tx, a.Run, a.By, journal.SignalAnswer); err != nil {
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
	m.reported(view)
	return view, nil
}

// cancelAnswered ends a run whose submit a person has just settled.
func (m *Manager) cancelAnswered(tx *store.Tx, view *wire.Run, by wire.By) error {
	if err := journal.Signal(tx, view.Run, by, journal.SignalCancel); err != nil {
		return err
	}
	view.State, view.Exception = wire.Cancelled, host.Exception(cancelledBy(by))
	return m.writeEnd(tx, view)
}

// endLost ends a run whose journal is damaged: it cannot go on, and a person has
// said what became of its submit. The view that is left is what people are shown.
func (m *Manager) endLost(tx *store.Tx, view *wire.Run, a control.Answer, told wire.ReconciledData) error {
	now := m.o.Now().UTC()
	view.State, view.Finished = wire.Failed, &now
	for i := range view.Submits {
		if view.Submits[i].State == wire.SubmitInDoubt || view.Submits[i].State == journal.SubmitPrepared {
			view.Submits[i].State, view.Submits[i].Receipt = told.State, told.Receipt
		}
	}
	if err := journal.EndLost(tx, a.Run, a.By, told, wire.EndData{State: view.State, Exception: view.Exception}); err != nil {
		return err
	}
	if err := journal.PutRun(tx, *view); err != nil {
		return err
	}
	return m.report(tx, *view)
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

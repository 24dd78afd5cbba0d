package run

import (
	"context"
	"encoding/json"
	"fmt"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// conclude writes how a runner ended: END, the view and the outbox row in one
// transaction. A run that needs a person gets no END.
func (m *Manager) conclude(ctx context.Context, id string, finish host.Finish) (wire.Run, error) {
	var view wire.Run
	err := m.journaled(ctx, wire.RecordEnd, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil || view.State.Final() { // head office has told how it had ended
			return err
		}
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		_, open := journal.OpenSubmit(records)
		switch doubtful := finish.State == wire.InDoubt; {
		case open && !doubtful:
			finish = inDoubt(finish)
		case doubtful && !open: // nothing was sent that a person could look for
			finish.State = wire.Failed
		}
		if finish.Forms != nil {
			view.Forms = finish.Forms
		}
		view.State, view.Output, view.Exception = finish.State, finish.Output, finish.Exception
		return m.writeEnd(tx, &view)
	})
	if err != nil {
		return view, fmt.Errorf("write the end of %s: %w", id, err)
	}
	if view.State.Final() {
		m.unlock(id)
	}
	m.reported(view)
	return view, nil
}

// inDoubt keeps a run open whose submit may have been sent: nobody guesses.
func inDoubt(finish host.Finish) host.Finish {
	doubt := fault.New(fault.Waiting, "in_doubt", "a form may have been sent and its answer is not known").
		WithHint("look in the business system, then: branchbot answer RUN --as NAME (--submitted REFERENCE | --not-submitted)")
	exception := host.Exception(doubt)
	if finish.Exception != nil {
		exception.Message += ": " + finish.Exception.Message
		exception.Where = finish.Exception.Where
	}
	return host.Finish{State: wire.InDoubt, Exception: exception, Forms: finish.Forms}
}

// writeEnd finishes the view and writes it, the END of a final state and the
// outbox row.
func (m *Manager) writeEnd(tx *store.Tx, view *wire.Run) error {
	if err := m.refresh(tx, view); err != nil {
		return err
	}
	if view.State.Final() {
		now := m.o.Now().UTC()
		view.Finished = &now
		data, err := json.Marshal(wire.EndData{State: view.State, Output: view.Output, Exception: view.Exception})
		if err != nil {
			return fmt.Errorf("encode end: %w", err)
		}
		if _, err := journal.Append(tx, wire.JournalRecord{Run: view.Run, Kind: wire.RecordEnd, Data: data, By: view.By}); err != nil {
			return err
		}
	}
	if err := journal.PutRun(tx, *view); err != nil {
		return err
	}
	return m.report(tx, *view)
}

// maxReport bounds a run's record; one above it is told without its details, which
// stay on the device. Head office takes no more, and nothing may block the line.
const maxReport = 4 << 20

// report puts the run's record into the outbox, in the transaction of the change.
func (m *Manager) report(tx *store.Tx, view wire.Run) error {
	body, err := json.Marshal(view)
	if err == nil && len(body) > maxReport {
		view.Steps, view.Submits, view.Forms, view.Evidence = []wire.StepView{}, []wire.SubmitView{}, []wire.FormView{}, []wire.EvidenceRef{}
		body, err = json.Marshal(view)
	}
	if err != nil {
		return fmt.Errorf("encode run: %w", err)
	}
	identity, err := vault.GetIdentity(tx)
	if err != nil && !fault.HasCode(err, "not_enrolled") { // until then the device has no name; enrolment adopts its records
		return fmt.Errorf("read identity: %w", err)
	}
	_, err = outbox.Add(tx, wire.Record{
		Device: identity.Device, Kind: wire.KindRun, Subject: view.Run, BusinessDate: view.BusinessDate, By: view.By, Body: body,
	})
	return err
}

func (m *Manager) reported(view wire.Run) {
	m.publish(view)
	m.o.Reported()
}

// pause leaves a run for the next start of the agent.
func (m *Manager) pause(ctx context.Context, id string) (wire.Run, error) {
	var view wire.Run
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		view.State = wire.Queued
		return journal.PutRun(tx, view)
	})
	return view, err
}

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
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if _, open := journal.OpenSubmit(records); open && finish.State != wire.InDoubt {
			finish = inDoubt(finish)
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

// report puts the run's record into the outbox, in the transaction of the change.
func (m *Manager) report(tx *store.Tx, view wire.Run) error {
	body, err := json.Marshal(view)
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
	err := m.o.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		view.State = wire.Queued
		return journal.PutRun(tx, view)
	})
	return view, err
}

// cancelIdle ends a run that has no runner.
func (m *Manager) cancelIdle(ctx context.Context, id string, by wire.By, cause *fault.Error) error {
	var view wire.Run
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if view, err = journal.GetRun(tx, id); err != nil {
			return err
		}
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if view.State.Final() {
			return fault.New(fault.Usage, "run_over", "the run %s is over: %s", id, view.State)
		}
		if _, open := journal.OpenSubmit(records); open {
			return fault.New(fault.Usage, "submit_open", "a form of %s may have been sent; the run cannot be cancelled before somebody says whether it was", id).
				WithHint("branchbot answer %s --as NAME (--submitted REFERENCE | --not-submitted)", id)
		}
		if err := signal(tx, id, by, "cancel"); err != nil {
			return err
		}
		view.State, view.Exception = wire.Cancelled, host.Exception(cause)
		return m.writeEnd(tx, &view)
	})
	if err != nil {
		return err
	}
	m.reported(view)
	return nil
}

// signal journals that somebody told the run something.
func signal(tx *store.Tx, id string, by wire.By, what string) error {
	data, err := json.Marshal(map[string]string{"signal": what})
	if err != nil {
		return fmt.Errorf("encode signal: %w", err)
	}
	_, err = journal.Append(tx, wire.JournalRecord{Run: id, Kind: wire.RecordSignal, Data: data, By: by})
	return err
}

package run

import (
	"context"
	"fmt"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// maxResumes is how often a run is taken up again without a new journaled value.
const maxResumes = 5

// Recover takes up every run that was not over when the agent last ended. One
// whose submit may have been sent becomes in_doubt; one that waits goes on
// waiting; the others go on from their journal.
func (m *Manager) Recover(ctx context.Context) error {
	var open []wire.Run
	err := m.o.Store.View(func(tx *store.Tx) error {
		var err error
		open, err = journal.Unfinished(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list unfinished runs: %w", err)
	}
	for _, view := range open {
		if settled(view.State) {
			continue
		}
		again, err := m.Resumable(ctx, view.Run)
		if err != nil { // one that cannot be read must not hold up the others; it stays in the lists
			m.o.Logger.Error("run could not be taken up", "run", view.Run, "error", err)
			continue
		}
		if again {
			m.Go(view.Run, view.Trigger)
		}
	}
	return nil
}

// Resumable readies a run to be executed again and says whether it may be: not
// one that is over or needs a person, that somebody has cancelled, whose submit
// may have been sent, or that broke off five times without progress.
func (m *Manager) Resumable(ctx context.Context, id string) (again bool, err error) {
	var stop *host.Finish
	err = m.o.Store.Update(ctx, func(tx *store.Tx) error {
		view, err := journal.GetRun(tx, id)
		if err != nil || settled(view.State) {
			return err
		}
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if stop = halted(view, records); stop != nil {
			return nil
		}
		again = true
		if view.State == wire.Queued { // it never began, or was stopped in good order
			return nil
		}
		view.State = wire.Queued
		if err := journal.PutRun(tx, view); err != nil {
			return err
		}
		return signal(tx, id, wire.By{Kind: wire.BySystem}, signalResume)
	})
	if err != nil || stop == nil {
		return again && err == nil, err
	}
	_, err = m.conclude(ctx, id, *stop)
	return false, err
}

// halted is how a run that broke off ends instead of going on, nil if it goes on.
func halted(view wire.Run, records []wire.JournalRecord) *host.Finish {
	by, asked := cancelAsked(records)
	_, open := journal.OpenSubmit(records)
	var finish host.Finish
	switch {
	case open:
		finish = inDoubt(host.Finish{Exception: &wire.Exception{Message: "the run was interrupted"}})
	case asked:
		finish = host.Finish{State: wire.Cancelled, Exception: host.Exception(cancelledBy(by))}
	case view.State == wire.Running && resumes(records) >= maxResumes:
		finish = host.Failed(fault.New(fault.Application, "no_progress", "the run was taken up %d times without getting further", maxResumes).
			WithHint("see the device's log for why it ends; start it again when that is mended"))
	default:
		return nil
	}
	return &finish
}

// resumes counts the resumes since the last journaled progress.
func resumes(records []wire.JournalRecord) int {
	count := 0
	for _, record := range records {
		switch {
		case signalOf(record) == signalResume:
			count++
		case record.Kind != wire.RecordSignal:
			count = 0
		}
	}
	return count
}

package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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
	if err := os.RemoveAll(filepath.Join(m.o.Config.Data, "scratch")); err != nil {
		return fmt.Errorf("wipe scratch: %w", err)
	}
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

// Resumable notes that a run is taken up again and says whether it may be: not
// with a submit that may have been sent, and not five times without progress.
func (m *Manager) Resumable(ctx context.Context, id string) (bool, error) {
	var stop *host.Finish
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		stop = nil
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if _, open := journal.OpenSubmit(records); open {
			f := inDoubt(host.Finish{Exception: &wire.Exception{Message: "the run was interrupted"}})
			stop = &f
			return nil
		}
		if resumes(records) >= maxResumes {
			f := host.Failed(fault.New(fault.Application, "no_progress", "the run was taken up %d times without getting further", maxResumes).
				WithHint("see the device's log for why it ends; start it again when that is mended"))
			stop = &f
			return nil
		}
		return signal(tx, id, wire.By{Kind: wire.BySystem}, signalResume)
	})
	if err != nil || stop == nil {
		return err == nil, err
	}
	_, err = m.conclude(ctx, id, *stop)
	return false, err
}

const signalResume = "resume"

// resumes counts the resumes since the last journaled progress.
func resumes(records []wire.JournalRecord) int {
	count := 0
	for _, record := range records {
		if record.Kind != wire.RecordSignal {
			count = 0
		} else {
			count++
		}
	}
	return count
}

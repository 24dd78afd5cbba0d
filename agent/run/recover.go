package run

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

const (
	// maxResumes is how often a run is taken up again without getting further.
	maxResumes = 5
	// maxRest bounds the wait before a runner that died is replaced.
	maxRest = time.Minute
	// timerRunner is the wait before a runner that died is replaced.
	timerRunner = "runner"
)

// Recover takes up every run that was not over when the agent last ended, in the
// order in which they were started. One that waits or is in doubt stays so; the
// others go on from their journal, and look first what became of a submit that
// may have been sent.
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
// one that is over or needs a person, that somebody has cancelled while nothing
// of it is open, that broke off five times without progress, or whose journal is
// damaged. Those end here, or are in doubt.
func (m *Manager) Resumable(ctx context.Context, id string) (again bool, err error) {
	return m.takeUp(ctx, id, false)
}

// takeUp is Resumable; after a runner's death the next one waits for a while,
// longer each time: a pack may kill its runner at once.
func (m *Manager) takeUp(ctx context.Context, id string, died bool) (again bool, err error) {
	var stop *host.Finish
	err = m.journaled(ctx, wire.RecordSignal, func(tx *store.Tx) error {
		view, err := journal.GetRun(tx, id)
		if err != nil || settled(view.State) || !died && m.activity(id) != nil { // a runner works on it
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
		return m.resume(tx, view, records, died)
	})
	switch {
	case fault.HasCode(err, "journal_damaged"):
		return false, m.lost(ctx, id, err)
	case err != nil || stop == nil:
		return again && err == nil, err
	}
	_, err = m.conclude(ctx, id, *stop)
	return false, err
}

// resume journals that the run is taken up again.
func (m *Manager) resume(tx *store.Tx, view wire.Run, records []wire.JournalRecord, died bool) error {
	view.State = wire.Queued
	if err := journal.PutRun(tx, view); err != nil {
		return err
	}
	system := wire.By{Kind: wire.BySystem}
	if err := journal.Signal(tx, view.Run, system, journal.SignalResume); err != nil || !died {
		return err
	}
	length := min(m.o.Rest<<resumes(records), maxRest)
	data, err := json.Marshal(wire.TimerData{Name: timerRunner, LengthMS: length.Milliseconds()})
	if err != nil {
		return fmt.Errorf("encode timer: %w", err)
	}
	_, err = journal.Append(tx, wire.JournalRecord{Run: view.Run, Kind: wire.RecordTimer, Data: data, By: system})
	if fault.HasCode(err, "journal_full") {
		return nil // the next value that the runner wants to record ends the run
	}
	return err
}

// rest waits for what is left of the time that a runner's successor must wait.
func (m *Manager) rest(ctx context.Context, records []wire.JournalRecord) error {
	var left time.Duration
	for _, r := range records {
		var timer wire.TimerData
		if r.Kind == wire.RecordTimer && json.Unmarshal(r.Data, &timer) == nil && timer.Name == timerRunner {
			left = min(time.Duration(timer.LengthMS)*time.Millisecond, maxRest) - uptime.Since(r.Up)
		}
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// halted is how a run that broke off ends instead of going on, nil if it goes on.
func halted(view wire.Run, records []wire.JournalRecord) *host.Finish {
	by, asked := cancelAsked(records)
	_, open := journal.OpenSubmit(records)
	var finish host.Finish
	switch {
	case view.State == wire.Running && resumes(records) >= maxResumes:
		finish = host.Failed(fault.New(fault.Application, "no_progress", "the run was taken up %d times without getting further", maxResumes).
			WithHint("see the device's log for why it ends; start it again when that is mended"))
	case asked && !open:
		finish = host.Finish{State: wire.Cancelled, Exception: host.Exception(cancelledBy(by))}
	default:
		return nil
	}
	return &finish
}

// resumes counts the resumes since the last progress.
func resumes(records []wire.JournalRecord) int {
	count, known := 0, map[wire.JournalKey]bool{}
	for _, r := range records {
		key := r.Key
		key.Attempt = 0
		switch {
		case journal.SignalOf(r) == journal.SignalResume:
			count++
		case progress(r, known[key]):
			count = 0
		}
		if r.Kind == wire.RecordResult {
			known[key] = true
		}
	}
	return count
}

// progress: the run knows something that it did not know before. An intent, a
// doubt, a wait or the same value once more is none.
func progress(r wire.JournalRecord, known bool) bool {
	switch r.Kind {
	case wire.RecordStart:
		return true
	case wire.RecordResult:
		return !known || r.Key.Call == "step" // attempts that failed are counted by the step itself
	case wire.RecordOutcome, wire.RecordReconciled:
		var told wire.ReconciledData // OUTCOME has the same names
		if json.Unmarshal(r.Data, &told) != nil {
			return false
		}
		return told.By == byPerson || told.State == wire.SubmitRejected ||
			told.State == wire.SubmitAcknowledged || told.State == wire.SubmitAlreadyThere
	}
	return false
}

// lost keeps a run whose journal cannot be replayed for a person: something of
// it may have been sent.
func (m *Manager) lost(ctx context.Context, id string, why error) error {
	var view wire.Run
	err := m.o.Store.Update(ctx, func(tx *store.Tx) error {
		view = journal.View(tx, id)
		view.State, view.Exception = wire.InDoubt, host.Exception(why)
		if err := journal.PutRun(tx, view); err != nil {
			return err
		}
		return m.report(tx, view)
	})
	if err != nil {
		return fmt.Errorf("keep %s for a person: %w", id, err)
	}
	m.reported(view)
	return nil
}

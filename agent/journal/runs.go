package journal

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// PutRun keeps the current view of a run and its place in the lists.
func PutRun(tx *store.Tx, run wire.Run) error {
	id := []byte(run.Run)
	old, err := store.GetJSON[wire.Run](tx, store.Runs, id)
	if err == nil && !old.Started.Equal(run.Started) {
		err = tx.Delete(store.RunsByStart, startKey(old))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("keep run %s: %w", run.Run, err)
	}
	if err := store.PutJSON(tx, store.Runs, id, run); err != nil {
		return err
	}
	if err := tx.Put(store.RunsByStart, startKey(run), nil); err != nil {
		return err
	}
	if run.State.Final() {
		return errors.Join(tx.Delete(store.RunsOpen, id), noteOver(tx, id))
	}
	return tx.Put(store.RunsOpen, id, nil)
}

// GetRun returns the view of a run. A view that is damaged is told again from
// the journal. Codes: run_unknown, journal_damaged.
func GetRun(tx *store.Tx, id string) (wire.Run, error) {
	run, err := store.GetJSON[wire.Run](tx, store.Runs, []byte(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return run, fault.New(fault.Usage, "run_unknown", "no run %q on this device", id).
			WithHint("`branchbot runs` lists the runs of this device")
	case errors.Is(err, store.ErrDamaged):
		return retell(tx, id)
	case err != nil:
		return run, fmt.Errorf("read run %s: %w", id, err)
	}
	return run, nil
}

func retell(tx *store.Tx, id string) (wire.Run, error) {
	records, err := Read(tx, id)
	if err == nil && len(records) == 0 {
		err = damaged(id, "its view is lost and it had not started")
	}
	return Describe(records), err
}

// Filter chooses runs. Zero values choose all.
type Filter struct {
	States []wire.RunState
	Bot    string
	Limit  int // 100 when zero
}

func (f Filter) has(run wire.Run) bool {
	return (f.Bot == "" || f.Bot == run.Bot) && (len(f.States) == 0 || slices.Contains(f.States, run.State))
}

// ListRuns returns runs, the newest first. One that cannot be read is listed as
// unreadable: it must neither hide the others nor vanish.
func ListRuns(tx *store.Tx, filter Filter) ([]wire.Run, error) {
	if filter.Limit <= 0 {
		filter.Limit = 100
	}
	runs := []wire.Run{}
	err := tx.Range(store.RunsByStart, store.Scan{Reverse: true}, func(key, _ []byte) error {
		run := View(tx, string(key[8:]))
		if run.Started.IsZero() {
			run.Started = time.Unix(0, int64(store.ParseNumberKey(key))).UTC()
		}
		if filter.has(run) {
			runs = append(runs, run)
		}
		if len(runs) == filter.Limit {
			return store.ErrStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return runs, nil
}

// Unfinished returns the runs whose state is not final, the oldest first. One
// that cannot be read is among them, in doubt.
func Unfinished(tx *store.Tx) ([]wire.Run, error) {
	runs := []wire.Run{}
	err := tx.Range(store.RunsOpen, store.Scan{}, func(id, _ []byte) error {
		runs = append(runs, View(tx, string(id)))
		return nil
	})
	if damage, isDamage := errors.AsType[*store.DamagedError](err); isDamage {
		for _, id := range damage.Keys { // the key says all that this row has to say
			runs = append(runs, View(tx, string(id)))
		}
	} else if err != nil {
		return nil, fmt.Errorf("list unfinished runs: %w", err)
	}
	slices.SortStableFunc(runs, func(a, b wire.Run) int { return a.Started.Compare(b.Started) })
	return runs, nil
}

// View returns the view of a listed run. One whose view and journal are both
// lost may have sent something: it is in doubt.
func View(tx *store.Tx, id string) wire.Run {
	run, err := GetRun(tx, id)
	if err == nil {
		return run
	}
	lost := fault.Of(err)
	run = Describe(nil)
	run.Run, run.State = id, wire.InDoubt
	run.Exception = &wire.Exception{Kind: "application", Code: lost.Code, Message: lost.Message, Hint: lost.Hint}
	return run
}

func startKey(run wire.Run) []byte {
	return append(store.TimeKey(run.Started), run.Run...)
}

package journal

import (
	"errors"
	"fmt"
	"slices"

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
		return tx.Delete(store.RunsOpen, id)
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

// ListRuns returns runs, the newest first. A run that can no longer be read at
// all is passed over: it must not hide the others.
func ListRuns(tx *store.Tx, filter Filter) ([]wire.Run, error) {
	if filter.Limit <= 0 {
		filter.Limit = 100
	}
	runs := []wire.Run{}
	err := tx.Range(store.RunsByStart, store.Scan{Reverse: true}, func(key, _ []byte) error {
		run, err := GetRun(tx, string(key[8:]))
		if err != nil {
			return nil
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

// Unfinished returns the runs whose state is not final, the oldest first.
func Unfinished(tx *store.Tx) ([]wire.Run, error) {
	runs := []wire.Run{}
	var broken error
	err := tx.Range(store.RunsOpen, store.Scan{}, func(id, _ []byte) error {
		run, err := GetRun(tx, string(id))
		if err != nil {
			broken = errors.Join(broken, err)
			return nil
		}
		runs = append(runs, run)
		return nil
	})
	slices.SortFunc(runs, func(a, b wire.Run) int { return a.Started.Compare(b.Started) })
	return runs, errors.Join(broken, err)
}

func startKey(run wire.Run) []byte {
	return append(store.TimeKey(run.Started), run.Run...)
}

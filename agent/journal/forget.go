package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
)

// Over is a run that is over, and since when by store.Steady.
type Over struct {
	Run string
	At  time.Time
}

// noteOver remembers since when a run is over. Once is enough.
func noteOver(tx *store.Tx, id []byte) error {
	_, err := tx.Get(store.RunsOver, id)
	if err == nil || !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	return store.PutJSON(tx, store.RunsOver, id, tx.Steady())
}

// ListOver returns the runs that are over, the first to be over before the others.
func ListOver(tx *store.Tx) ([]Over, error) {
	var list []Over
	err := tx.Range(store.RunsOver, store.Scan{}, func(id, value []byte) error {
		var at time.Time
		if err := json.Unmarshal(value, &at); err != nil {
			return fmt.Errorf("decode time of %s: %w", id, err)
		}
		list = append(list, Over{Run: string(id), At: at})
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) { // one that cannot be read is kept
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b Over) int { return a.At.Compare(b.At) })
	return list, nil
}

// Old are the runs of a list that need no longer be kept: over before the given
// time, or more than count runs ago.
func Old(over []Over, before time.Time, count int) []string {
	var old []string
	for i, run := range over {
		if run.At.Before(before) || i < len(over)-count {
			old = append(old, run.Run)
		}
	}
	return old
}

// Forget removes a run that is over: journal, head, view and lists. Its business
// keys stay taken for their windows. Code run_open for one that is not over. One
// that is not there is no error.
func Forget(tx *store.Tx, id string) error {
	run, err := GetRun(tx, id)
	switch {
	case err == nil && !run.State.Final():
		return fault.New(fault.Application, "run_open", "the run %s is %s and cannot be forgotten", id, run.State)
	case err == nil:
		err = tx.Delete(store.RunsByStart, startKey(run))
	case fault.HasCode(err, "run_unknown"):
		err = nil
	}
	if err != nil {
		return fmt.Errorf("forget run %s: %w", id, err)
	}
	var records [][]byte
	err = tx.Range(store.Journal, store.Scan{Prefix: recordPrefix(id)}, func(key, _ []byte) error {
		records = append(records, key)
		return nil
	})
	if damage, isDamage := errors.AsType[*store.DamagedError](err); isDamage {
		records, err = append(records, damage.Keys...), nil
	}
	for _, key := range records {
		err = errors.Join(err, tx.Delete(store.Journal, key))
	}
	for _, bucket := range []store.Bucket{store.JournalHeads, store.Runs, store.RunsOpen, store.RunsOver} {
		err = errors.Join(err, tx.Delete(bucket, []byte(id)))
	}
	return err
}

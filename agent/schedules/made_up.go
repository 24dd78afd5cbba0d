package schedules

import (
	"context"
	"errors"
	"slices"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/scheduler"
)

// Owed returns, of each schedule, the latest due time when it is one that was
// missed for one of these reasons and has not been made up for.
func (f *Fired) Owed(_ context.Context, reasons ...string) (keys []scheduler.Key, err error) {
	latest := map[string]firing{}
	err = f.store.View(func(tx *store.Tx) error {
		return tx.Range(store.Fires, store.Scan{}, func(_, value []byte) error {
			known, err := decode(value)
			if err == nil && known.Key.Due.After(latest[known.Key.Schedule].Key.Due) {
				latest[known.Key.Schedule] = known
			}
			return err
		})
	})
	for _, known := range latest {
		if slices.Contains(reasons, known.Missed) && !known.Started {
			keys = append(keys, known.Key)
		}
	}
	if errors.Is(err, store.ErrDamaged) {
		err = nil // what cannot be read stays missed
	}
	return keys, err
}

// MadeUp notes that a missed due time is made up for, in the transaction of the run's
// start; code made_up when it was before. The record that it was missed stays.
func MadeUp(tx *store.Tx, key scheduler.Key) error {
	known, err := get(tx, key)
	if err != nil {
		return err
	}
	if known.Missed == "" || known.Started {
		return fault.New(fault.Application, "made_up", "%s at %s was made up for, or never missed", key.Schedule, key.Local)
	}
	known.Started = true
	return put(tx, key, known)
}

package schedules

import (
	"context"
	"errors"
	"slices"

	"branchbot/agent/store"
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

// MakeUp takes a missed key before its start is made up for; false when it was taken
// already. The record that it was missed stays.
func (f *Fired) MakeUp(ctx context.Context, key scheduler.Key) (taken bool, err error) {
	err = f.store.Update(ctx, func(tx *store.Tx) error {
		known, err := get(tx, key)
		if err != nil || known.Missed == "" || known.Started {
			return err
		}
		known.Started, taken = true, true
		return put(tx, key, known)
	})
	return taken && err == nil, err
}

package schedules

import (
	"context"
	"errors"
	"slices"
	"time"

	"branchbot/agent/store"
)

// How long firings are remembered, by store.Steady, and how many of them. A clock that
// is set back by less than that starts nothing twice.
const (
	keepFor   = 400 * 24 * time.Hour
	keepFires = 50_000
)

// forgetAtOnce bounds the deletions of one transaction.
const forgetAtOnce = 500

// Forget removes old firings, in small transactions.
func (f *Fired) Forget(ctx context.Context) error {
	old, err := f.old()
	for len(old) > 0 && err == nil {
		part := old[:min(len(old), forgetAtOnce)]
		old = old[len(part):]
		err = f.store.Update(ctx, func(tx *store.Tx) error {
			for _, key := range part {
				if err := tx.Delete(store.Fires, key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return err
}

// old returns the rows that need no longer be kept.
func (f *Fired) old() (keys [][]byte, err error) {
	type dated struct {
		key []byte
		at  time.Time
	}
	var all []dated
	var before time.Time
	err = f.store.View(func(tx *store.Tx) error {
		before = tx.Steady().Add(-keepFor)
		return tx.Range(store.Fires, store.Scan{}, func(key, value []byte) error {
			known, err := decode(value)
			if err == nil && !known.At.IsZero() {
				all = append(all, dated{key, known.At})
			}
			return err
		})
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) { // one that cannot be read is kept
		return nil, err
	}
	slices.SortFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	for i, one := range all {
		if one.at.Before(before) || i < len(all)-keepFires {
			keys = append(keys, one.key)
		}
	}
	return keys, nil
}

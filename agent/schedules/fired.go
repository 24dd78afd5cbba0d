// Package schedules is the device's memory of what its schedules have started:
// a key is written before a run begins, so that nothing starts twice, and a due
// time that was not started is written down as a missed run.
package schedules

import (
	"context"
	"errors"
	"time"

	"branchbot/agent/store"
	"branchbot/scheduler"
)

// Report writes a missed run down, in the transaction of the memory.
type Report func(tx *store.Tx, key scheduler.Key, reason string) error

// Fired is scheduler.Fired on the device's store.
type Fired struct {
	store  *store.Store
	report Report
	// Told is called once a missed run is written down; nil calls nobody.
	Told func()
}

var _ scheduler.Fired = (*Fired)(nil)

// NewFired makes the memory; report is called for each missed due time.
func NewFired(s *store.Store, report Report) *Fired { return &Fired{store: s, report: report} }

// firing is a row of store.Fires.
type firing struct {
	Key     scheduler.Key `json:"key"`
	Fired   bool          `json:"fired,omitempty"`
	Started bool          `json:"started,omitempty"`
	Missed  string        `json:"missed,omitempty"` // reason
	At      time.Time     `json:"at,omitzero"`      // of the last change, by store.Steady
}

func row(schedule, name string) []byte { return []byte(schedule + "\x00" + name) }

// Since returns from when on due times are owed.
func (f *Fired) Since(ctx context.Context, schedule, rule string, now time.Time) (since time.Time, err error) {
	err = f.store.Update(ctx, func(tx *store.Tx) error {
		since, err = store.GetJSON[time.Time](tx, store.FiresSince, row(schedule, rule))
		if errors.Is(err, store.ErrNotFound) {
			since = now
			return store.PutJSON(tx, store.FiresSince, row(schedule, rule), now)
		}
		return err
	})
	return since, err
}

// advance moves the mark forward, never back.
func advance(tx *store.Tx, key scheduler.Key) error {
	mark := row(key.Schedule, key.Rule)
	since, err := store.GetJSON[time.Time](tx, store.FiresSince, mark)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if !key.Due.After(since) {
		return nil
	}
	return store.PutJSON(tx, store.FiresSince, mark, key.Due)
}

func get(tx *store.Tx, key scheduler.Key) (firing, error) {
	known, err := store.GetJSON[firing](tx, store.Fires, row(key.Schedule, key.Local))
	if errors.Is(err, store.ErrNotFound) {
		return firing{Key: key}, nil
	}
	return known, err
}

func put(tx *store.Tx, key scheduler.Key, known firing) error {
	known.At = tx.Steady()
	return store.PutJSON(tx, store.Fires, row(key.Schedule, key.Local), known)
}

// Fire takes the key before the start; false when it was taken already.
func (f *Fired) Fire(ctx context.Context, key scheduler.Key) (fresh bool, err error) {
	err = f.store.Update(ctx, func(tx *store.Tx) error {
		known, err := get(tx, key)
		if fresh = err == nil && !known.Fired; !fresh {
			return err
		}
		if err := put(tx, key, firing{Key: key, Fired: true}); err != nil {
			return err
		}
		return advance(tx, key)
	})
	return fresh && err == nil, err
}

// Started notes that the run of a fired key is written down.
func (f *Fired) Started(ctx context.Context, key scheduler.Key) error {
	return f.store.Update(ctx, func(tx *store.Tx) error { return Begun(tx, key) })
}

// Begun is Started in the transaction that writes the run down: either both are
// there after a crash, or neither.
func Begun(tx *store.Tx, key scheduler.Key) error {
	known, err := get(tx, key)
	if err != nil || known.Started {
		return err
	}
	return put(tx, key, firing{Key: key, Fired: true, Started: true})
}

// Unstarted returns the fired keys that are neither started nor missed.
func (f *Fired) Unstarted(context.Context) (keys []scheduler.Key, err error) {
	err = f.store.View(func(tx *store.Tx) error {
		keys = nil
		return tx.Range(store.Fires, store.Scan{}, func(_, value []byte) error {
			known, err := decode(value)
			if err == nil && known.Fired && !known.Started && known.Missed == "" {
				keys = append(keys, known.Key)
			}
			return err
		})
	})
	return keys, err
}

// Missed reports a due time that is not started.
func (f *Fired) Missed(ctx context.Context, key scheduler.Key, reason string) error {
	reported := false
	err := f.store.Update(ctx, func(tx *store.Tx) error {
		known, err := get(tx, key)
		if err != nil {
			return err
		}
		if known.Started || known.Missed != "" {
			return advance(tx, key)
		}
		known.Missed = reason
		if err := put(tx, key, known); err != nil {
			return err
		}
		if err := advance(tx, key); err != nil {
			return err
		}
		reported = true
		return f.report(tx, key, reason)
	})
	if err == nil && reported && f.Told != nil {
		f.Told()
	}
	return err
}

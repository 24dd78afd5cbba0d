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

// Restore makes heads, business keys, views and lists anew from the records that
// are there, after the database was put together again from a copy or from what
// could be salvaged. Every run that is open then gets SIGNAL restored; one whose
// journal has lost something cannot be replayed and is in doubt. Call it in the
// transaction of the restore, before anything runs.
func Restore(tx *store.Tx) error {
	ids, err := everyRun(tx)
	if err != nil {
		return fmt.Errorf("restore runs: %w", err)
	}
	for _, id := range ids {
		if err := restore(tx, id); err != nil {
			return fmt.Errorf("restore run %s: %w", id, err)
		}
	}
	return nil
}

// everyRun lists the runs that left anything.
func everyRun(tx *store.Tx) ([]string, error) {
	ids := map[string]bool{}
	for bucket, name := range map[store.Bucket]func([]byte) string{
		store.Journal:      func(key []byte) string { return string(key[:max(0, len(key)-9)]) },
		store.JournalHeads: func(key []byte) string { return string(key) },
		store.Runs:         func(key []byte) string { return string(key) },
		store.RunsOpen:     func(key []byte) string { return string(key) },
	} {
		err := tx.Range(bucket, store.Scan{}, func(key, _ []byte) error { ids[name(key)] = true; return nil })
		if damage, isDamage := errors.AsType[*store.DamagedError](err); isDamage {
			for _, key := range damage.Keys {
				ids[name(key)] = true
			}
		} else if err != nil {
			return nil, err
		}
	}
	delete(ids, "")
	list := make([]string, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	slices.Sort(list)
	return list, nil
}

// restore puts one run in order.
func restore(tx *store.Tx, id string) error {
	left, h, err := rebuild(tx, id)
	if err != nil {
		return err
	}
	view := remembered(tx, left, h)
	if view.State.Final() {
		h.Ended, h.Open, h.Claim = true, closed, nil // its view says so: what followed the copy is lost
	}
	if err := saveHead(tx, id, h); err != nil {
		return err
	}
	if err := PutRun(tx, view); err != nil {
		return err
	}
	if err := adoptClaims(tx, view); err != nil || view.State.Final() || h.N == 0 {
		return err
	}
	return Signal(tx, id, wire.By{Kind: wire.BySystem}, SignalRestored)
}

// rebuild finds a journal's end and its business keys again.
func rebuild(tx *store.Tx, id string) (remains, head, error) {
	left, err := salvage(tx, id)
	if err != nil {
		return left, head{}, err
	}
	stored, err := store.GetJSON[head](tx, store.JournalHeads, []byte(id))
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return left, head{}, err
	}
	h := left.head(tx)
	if known && stored.N > h.N { // its last records are lost, and their numbers are not given again
		left.whole, h = false, stored
	}
	return left, h, left.reclaim(tx, h)
}

func saveHead(tx *store.Tx, id string, h head) error {
	if h.N == 0 {
		return tx.Delete(store.JournalHeads, []byte(id))
	}
	return store.PutJSON(tx, store.JournalHeads, []byte(id), h)
}

// remembered is the view of a run as far as view and journal can be believed. A
// final view is never taken back: a run that was over is not started again.
func remembered(tx *store.Tx, left remains, h head) wire.Run {
	told := Describe(left.records)
	told.Run = left.run
	view, err := store.GetJSON[wire.Run](tx, store.Runs, []byte(left.run))
	switch {
	case err != nil:
		view = told
		view.BusinessDate = told.Started.Local().Format(time.DateOnly)
	case view.State.Final():
		return view
	case told.State.Final():
		view.State, view.Output, view.Exception, view.Finished = told.State, told.Output, told.Exception, told.Finished
	}
	if len(left.records) > 0 {
		view.Steps, view.Submits = told.Steps, told.Submits
	}
	switch replayable := left.whole && len(left.records) > 0; {
	case view.State.Final():
	case h.Ended: // it was over; how is lost
		at := tx.Now()
		view.State, view.Exception, view.Finished = wire.Failed, lost(left.run), &at
	case !replayable:
		view.State, view.Exception = wire.InDoubt, lost(left.run)
	case err != nil: // it broke off: whoever takes it up settles what is open
		view.State = wire.Running
	}
	return view
}

func lost(run string) *wire.Exception {
	e := fault.Of(damaged(run, "records are lost"))
	return &wire.Exception{Kind: "application", Class: string(e.Class), Code: e.Code, Message: e.Message, Hint: e.Hint}
}

package journal

import (
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
)

// lookFirst is the row of store.Settings that says since when this device does
// not know what it sent.
const lookFirst = "look_first"

// BeginLookFirst says that what this device sent after since may not be in its
// journal: it was restored from a copy of that time. An earlier mark stays.
func BeginLookFirst(tx *store.Tx, since time.Time) error {
	if before, on := LookFirst(tx); on && before.Before(since) {
		return nil
	}
	if err := store.PutJSON(tx, store.Settings, []byte(lookFirst), since.UTC()); err != nil {
		return fmt.Errorf("mark look first: %w", err)
	}
	return nil
}

// LookFirst tells whether every submit must be looked up before it is sent, and
// since when the journal may lack something. A mark that cannot be read is on,
// from the beginning of time.
func LookFirst(tx *store.Tx) (since time.Time, on bool) {
	since, err := store.GetJSON[time.Time](tx, store.Settings, []byte(lookFirst))
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, false
	}
	if err != nil {
		return time.Time{}, true
	}
	return since, true
}

// EndLookFirst takes the mark away: head office has returned what was sent since.
func EndLookFirst(tx *store.Tx) error {
	if err := tx.Delete(store.Settings, []byte(lookFirst)); err != nil {
		return fmt.Errorf("end look first: %w", err)
	}
	return nil
}

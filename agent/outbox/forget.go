package outbox

import (
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
)

// How long what was sent stays, so that a head office that was restored from an
// older copy can have it again. Whichever is less.
const (
	KeepFor     = 7 * 24 * time.Hour
	KeepRecords = 20_000
)

// maxForgotten bounds the deletions of one transaction.
const maxForgotten = 2_000

// Forget deletes records that were sent long ago. Acknowledge does it too; call
// this from time to time for a device that sends nothing.
func Forget(tx *store.Tx) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	if err := s.forget(tx); err != nil {
		return fmt.Errorf("forget sent records: %w", err)
	}
	return s.save(tx)
}

// ForgetBelow deletes what was sent before a place in line: to make room.
func ForgetBelow(tx *store.Tx, place uint64) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	if err := s.forgetBelow(tx, min(place, s.Acked)); err != nil {
		return fmt.Errorf("forget sent records: %w", err)
	}
	return s.save(tx)
}

func (s *state) forget(tx *store.Tx) error {
	end, err := s.keepFrom(tx)
	if err != nil {
		return err
	}
	return s.forgetBelow(tx, end)
}

func (s *state) forgetBelow(tx *store.Tx, end uint64) error {
	for n := 0; s.First < end && n < maxForgotten; n++ {
		key := store.NumberKey(s.First)
		if err := errors.Join(tx.Delete(store.Outbox, key), tx.Delete(store.OutboxSent, key)); err != nil {
			return err
		}
		s.First++ // the note of this very number stays: see rebuild
	}
	return nil
}

// keepFrom tells the first seq that must stay.
func (s *state) keepFrom(tx *store.Tx) (uint64, error) {
	keep := s.First
	if s.Acked > KeepRecords {
		keep = max(keep, s.Acked-KeepRecords)
	}
	err := tx.Range(store.OutboxSent, store.Scan{}, func(key, value []byte) error {
		at, err := time.Parse(time.RFC3339Nano, string(value))
		if err != nil {
			return fmt.Errorf("time of acknowledgement: %w", err)
		}
		if tx.Steady().Sub(at) < KeepFor {
			return store.ErrStop
		}
		keep = max(keep, store.ParseNumberKey(key))
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil
	}
	return min(keep, s.Acked), err
}

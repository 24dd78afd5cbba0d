package outbox

import (
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
)

// How long what was sent stays, so that a head office that was restored from an
// older copy can have it again. Whichever is less.
const (
	KeepFor     = 7 * 24 * time.Hour
	KeepRecords = 20_000
)

// maxForgotten bounds the deletions of one transaction.
const maxForgotten = 2_000

// Acknowledge takes head office's answer: it has all records below nextSeq on
// its disk. The caller has checked that the answer is for this epoch. Answers may
// come twice and in any order. A lower nextSeq is honoured only with another
// incarnation: then what is still here is sent again. A late answer of a former
// incarnation is put right by the next answer of the present one, since what is
// taken for sent stays here for days. Code outbox_ahead: head office has records
// that this database never made.
func Acknowledge(tx *store.Tx, incarnation string, nextSeq uint64) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	if nextSeq > s.Next {
		return fault.New(fault.Application, "outbox_ahead", "head office has %d records of this device, the device made %d", nextSeq-1, s.Next-1).
			WithHint("this data folder was copied or restored: enrol the device again")
	}
	if incarnation == s.Incarnation && nextSeq <= s.Acked {
		return nil
	}
	s.Incarnation = incarnation
	if err := s.acknowledged(tx, nextSeq); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return s.save(tx)
}

// acknowledged notes when the records below nextSeq arrived and forgets old ones.
func (s *state) acknowledged(tx *store.Tx, nextSeq uint64) error {
	s.Acked = max(nextSeq, 1)
	at, err := tx.Now().MarshalText()
	if err != nil {
		return err
	}
	if err := tx.Put(store.OutboxSent, store.NumberKey(s.Acked), at); err != nil {
		return err
	}
	return s.forget(tx)
}

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

func (s *state) forget(tx *store.Tx) error {
	end, err := s.keepFrom(tx)
	if err != nil {
		return err
	}
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
		if tx.Now().Sub(at) < KeepFor {
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

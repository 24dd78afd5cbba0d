package store

import (
	"context"
	"time"
)

// TendEvery is how often Tend wants its tick.
const TendEvery = 2 * time.Second

// scrubRows is how many rows the scrubber reads at a tick: some 200,000 in half an
// hour, for about a millisecond of work every two seconds.
const scrubRows = 250

// Tend looks after the store until ctx ends: at each tick it scrubs a few rows,
// and makes a snapshot when something changed and the last one is old enough.
func (s *Store) Tend(ctx context.Context, tick <-chan time.Time) {
	var at Place
	for {
		select {
		case now := <-tick:
			at = s.scrubPart(at)
			s.snapshotIfDue(now)
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		}
	}
}

func (s *Store) scrubPart(from Place) Place {
	next, seen, err := s.Scrub(from, scrubRows)
	if err != nil {
		s.o.Logger.Warn("could not scrub", "error", err)
	}
	if seen.Damaged > 0 {
		s.o.Logger.Warn("the scrubber met damage", "rows", seen.Rows, "damaged", seen.Damaged)
	}
	return next
}

// snapshotIfDue makes a snapshot after activity. One that fails is tried again
// after the same pause.
func (s *Store) snapshotIfDue(now time.Time) {
	s.copying.Lock()
	defer s.copying.Unlock()
	if s.o.Snapshots.Every <= 0 || now.Sub(s.copied.at) < s.o.Snapshots.Every {
		return
	}
	if !s.changed() {
		return
	}
	s.copied.at = now
	if err := s.copyNow(); err != nil {
		s.o.Logger.Error("no snapshot", "error", err)
	}
}

// copied is how far the newest snapshot goes. Held with copying.
type copied struct {
	at     time.Time
	change uint64
}

// lastSnapshot makes one at a clean close.
func (s *Store) lastSnapshot() error {
	s.copying.Lock()
	defer s.copying.Unlock()
	if s.o.Snapshots.Every <= 0 || !s.changed() {
		return nil
	}
	return s.copyNow()
}

func (s *Store) copyNow() error {
	change, err := s.lastChange()
	if err != nil {
		return err
	}
	if _, err := s.Snapshot(); err != nil {
		return err
	}
	s.copied.change = change
	return nil
}

func (s *Store) changed() bool {
	change, err := s.lastChange()
	return err == nil && change != s.copied.change
}

func (s *Store) lastChange() (change uint64, err error) {
	err = s.View(func(tx *Tx) error { change = s.commitNumber(tx.tx); return nil })
	return change, err
}

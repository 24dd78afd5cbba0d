package outbox

import (
	"errors"
	"fmt"
	"slices"

	"branchbot/agent/store"
)

// state is the line in four facts. Its places are numbered through, over all
// epochs: records at First <= place < Next are here, those below Acked are at
// head office too. spans tells which (epoch, seq) a place is.
type state struct {
	First       uint64 `json:"first"`
	Acked       uint64 `json:"acked"` // head office has all below
	Next        uint64 `json:"next"`  // the place of the next new record
	Incarnation string `json:"incarnation,omitempty"`
	// Stale says that this epoch must not be sent any more: the store needs a new
	// one, in which what waits gets new numbers. The reason is a wire.EpochBegan's.
	Stale string `json:"stale,omitempty"`

	spans   []span // of a row of its own: both are not lost at once
	unsaved bool   // spans differ from their row
}

// span is the part of the line that one epoch has: From <= place, and place < To
// once another epoch began.
type span struct {
	Epoch string `json:"epoch"`
	From  uint64 `json:"from"` // its seq 1
	To    uint64 `json:"to,omitempty"`
}

func (p span) seq(place uint64) uint64 { return place - p.From + 1 }

// Rows of store.OutboxState.
const (
	stateRow = "state"
	spansRow = "epochs"
)

// load reads the line and opens a part for the store's epoch when it is new.
func load(tx *store.Tx) (state, error) {
	s, err := loadRows(tx)
	if err != nil {
		return s, err
	}
	s.open(tx.Epoch())
	return s, nil
}

// loadRows reads the line as it was written, whatever the store's epoch is now.
func loadRows(tx *store.Tx) (state, error) {
	s, err := store.GetJSON[state](tx, store.OutboxState, []byte(stateRow))
	known, spansErr := store.GetJSON[[]span](tx, store.OutboxState, []byte(spansRow))
	s.spans = known
	switch {
	case errors.Is(err, store.ErrNotFound) && errors.Is(spansErr, store.ErrNotFound) && isEmpty(tx):
		return state{First: 1, Acked: 1, Next: 1}, nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDamaged):
		s, err = rebuild(tx, known)
	case errors.Is(spansErr, store.ErrNotFound), errors.Is(spansErr, store.ErrDamaged):
		s.spans, spansErr = rebuildSpans(tx)
		s.unsaved = true
	}
	if err == nil && !errors.Is(spansErr, store.ErrNotFound) && !errors.Is(spansErr, store.ErrDamaged) {
		err = spansErr
	}
	if err != nil {
		return s, fmt.Errorf("read outbox: %w", err)
	}
	return s, nil
}

// open begins a part for epoch at the end of the line.
func (s *state) open(epoch string) {
	last := len(s.spans) - 1
	switch {
	case last < 0:
		s.spans = []span{{Epoch: epoch, From: 1}}
	case s.spans[last].Epoch == epoch:
		return
	case s.spans[last].From == s.Next: // it has no record
		s.spans[last].Epoch = epoch
	default:
		if s.spans[last].To == 0 {
			s.spans[last].To = s.Next
		}
		s.spans = append(s.spans, span{Epoch: epoch, From: s.Next})
	}
	s.unsaved = true
}

func (s *state) save(tx *store.Tx) error {
	before := len(s.spans)
	s.spans = slices.DeleteFunc(s.spans, func(p span) bool { return p.To != 0 && p.To <= max(s.First, p.From) }) // nothing of it is left
	s.unsaved = s.unsaved || len(s.spans) != before
	err := store.PutJSON(tx, store.OutboxState, []byte(stateRow), s)
	if s.unsaved {
		err = errors.Join(err, store.PutJSON(tx, store.OutboxState, []byte(spansRow), s.spans))
	}
	return err
}

// current is the part that grows.
func (s *state) current() span { return s.spans[len(s.spans)-1] }

// end is the place behind the last record of a part.
func (s *state) end(p span) uint64 {
	if p.To != 0 {
		return p.To
	}
	return s.Next
}

// head is the place of the first record that waits, and its part.
func (s *state) head() (uint64, span) {
	place := max(s.Acked, s.First)
	for _, p := range s.spans[:len(s.spans)-1] {
		if place < p.To {
			return max(place, p.From), p
		}
	}
	return max(place, s.current().From), s.current()
}

// of finds the part of an epoch.
func (s *state) of(epoch string) (span, bool) {
	for _, p := range s.spans {
		if p.Epoch == epoch {
			return p, true
		}
	}
	return span{}, false
}

// waiting counts the records of a part that head office does not have.
func (s *state) waiting(p span) int {
	from := max(s.Acked, s.First, p.From)
	return int(max(s.end(p), from) - from)
}

// all counts the records of a part that are here.
func (s *state) all(p span) int {
	from := max(s.First, p.From)
	return int(max(s.end(p), from) - from)
}

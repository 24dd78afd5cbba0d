package outbox

import (
	"encoding/json"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Acknowledge takes head office's answer: it has all records of the answer's
// epoch below NextSeq on its disk. Answers may come twice and in any order. A
// lower NextSeq is honoured only with another incarnation: then what is still
// here, of former epochs too, is offered again. A late answer of a former
// incarnation is put right by the next answer of the present one, since what is
// taken for sent stays here for days.
//
// Codes, when head office has records of our present epoch that we never made:
// outbox_ahead (more of them) and outbox_differs (another last one). Nothing is
// acknowledged then; see Outdated.
func Acknowledge(tx *store.Tx, reply wire.IngestReply) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	p, found := s.of(reply.Epoch)
	if !found {
		return nil // a late answer about an epoch of which nothing is left
	}
	reached := p.From + min(max(reply.NextSeq, 1), maxSeq) - 1
	if err := s.check(tx, p, reached, reply); err != nil {
		return err
	}
	before, another := s.Acked, reply.Incarnation != s.Incarnation
	if another {
		if err := s.anew(tx, reply.Incarnation); err != nil {
			return err
		}
	}
	if _, head := s.head(); head.Epoch == p.Epoch {
		s.Acked = max(s.Acked, min(reached, s.end(p)))
	}
	if s.Acked == before && !another {
		return nil
	}
	if err := s.acknowledged(tx); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return s.save(tx)
}

// check looks for records that head office has and that we did not make. Of a
// former epoch that is no wonder: the copy that this database came from is older.
func (s *state) check(tx *store.Tx, p span, reached uint64, reply wire.IngestReply) error {
	if p.To != 0 {
		return nil
	}
	if reached > s.Next {
		return fault.New(fault.Application, codeAhead, "head office has %d records of this epoch, the device made %d", reply.NextSeq-1, p.seq(s.Next)-1).
			WithHint("an older copy of the data folder came back, or it was copied to another machine: if two machines run with it, stop one of them")
	}
	if reply.Last == "" || reached == p.From || reached <= s.First {
		return nil
	}
	line, err := tx.Get(store.Outbox, store.NumberKey(reached-1))
	if err != nil || wire.Digest(line) == reply.Last || isMended(line) { // what cannot be read is Mend's
		return nil //nolint:nilerr // see above
	}
	return fault.New(fault.Application, codeDiffers, "head office has another record %d of this epoch than this device", reply.NextSeq-1).
		WithHint("an older copy of the data folder came back, or it was copied to another machine: if two machines run with it, stop one of them")
}

// maxSeq is above every seq that can be; sums with it do not overflow.
const maxSeq = 1 << 62

// Codes of Acknowledge.
const (
	codeAhead   = "outbox_ahead"
	codeDiffers = "outbox_differs"
)

// isMended tells the alert that Mend puts in the place of a record.
func isMended(line []byte) bool {
	var r wire.Record
	return json.Unmarshal(line, &r) == nil && r.Kind == wire.KindAlert && r.Subject == wire.AlertRecordLost
}

// anew begins to offer everything that is here: this head office is another one
// than the one that answered before, or was restored from an older copy.
func (s *state) anew(tx *store.Tx, incarnation string) error {
	former := s.Incarnation
	s.Incarnation, s.Acked = incarnation, min(s.Acked, s.First)
	if former == "" {
		return nil
	}
	return Note(tx, EventIncarnation, incarnation)
}

// acknowledged notes when the records below arrived and forgets old ones.
func (s *state) acknowledged(tx *store.Tx) error {
	at, err := tx.Steady().MarshalText()
	if err != nil {
		return err
	}
	if err := tx.Put(store.OutboxSent, store.NumberKey(s.Acked), at); err != nil {
		return err
	}
	return s.forget(tx)
}

// Package outbox keeps what head office must be told, in one gapless sequence
// per database (epoch), until head office says that it has it on its own disk.
//
// What always holds: a record is added in the transaction of the change it tells
// about; it is deleted only some time after it was acknowledged; the same record
// is sent in the same bytes each time; what waits of a former epoch goes before
// the present one. DESIGN.md tells what happens when.
package outbox

import (
	"encoding/json"
	"errors"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// RecordVersion is the layout version of new records.
const RecordVersion = wire.RecordVersion

// Add puts a record in line and returns it with V, Epoch, Seq and, unless set,
// Created. Call it in the transaction of the change that the record tells about.
func Add(tx *store.Tx, r wire.Record) (wire.Record, error) {
	s, err := load(tx)
	if err != nil {
		return r, err
	}
	if r, err = s.add(tx, r); err != nil {
		return r, err
	}
	return r, s.save(tx)
}

func (s *state) add(tx *store.Tx, r wire.Record) (wire.Record, error) {
	p := s.current()
	r.V, r.Epoch, r.Seq = RecordVersion, p.Epoch, p.seq(s.Next)
	if r.Created.IsZero() {
		r.Created = tx.Now()
	}
	if err := store.PutJSON(tx, store.Outbox, store.NumberKey(s.Next), r); err != nil {
		return r, err
	}
	s.Next++
	return r, nil
}

// Head says what the next records to send belong to.
type Head struct {
	Epoch  string
	Oldest uint64 // the lowest seq of this epoch that is still here
	Former bool   // the database has begun another epoch since
	Stale  string // not "": nothing may be sent before the store has a new epoch
}

// ReadHead returns it.
func ReadHead(tx *store.Tx) (Head, error) {
	s, err := load(tx)
	if err != nil {
		return Head{}, err
	}
	_, p := s.head()
	return Head{Epoch: p.Epoch, Oldest: p.seq(max(s.First, p.From)), Former: p.To != 0, Stale: s.Stale}, nil
}

// Next returns the records of ReadHead's epoch that head office does not have, in
// order, and the seq of the first: at most limit records and maxBytes bytes, but
// always one if any waits. A damaged record ends the run of records before it;
// when it is the first, the code is outbox_damaged: call Mend, then go on.
func Next(tx *store.Tx, limit, maxBytes int) (records []json.RawMessage, first uint64, err error) {
	s, err := load(tx)
	if err != nil {
		return nil, 0, err
	}
	from, p := s.head()
	size := 0
	for place := from; place < s.end(p) && len(records) < limit; place++ {
		line, err := tx.Get(store.Outbox, store.NumberKey(place))
		if err != nil {
			return records, p.seq(from), unreadable(p.seq(place), len(records), err)
		}
		size += len(line)
		if len(records) > 0 && size > maxBytes {
			break
		}
		records = append(records, line)
	}
	return records, p.seq(from), nil
}

func unreadable(seq uint64, before int, err error) error {
	if before > 0 {
		return nil // what stands before it can be sent
	}
	return fault.New(fault.Application, "outbox_damaged", "record %d of the outbox cannot be read: %w", seq, err).
		WithHint("check the disk of this device")
}

// Status is what people are shown of the outbox.
type Status struct {
	Epoch           string
	Waiting         int        // not yet at head office
	Kept            int        // at head office, and still here
	Oldest          *time.Time // of those that wait
	AcknowledgedSeq uint64     // of the present epoch
	Incarnation     string     // of head office, "" before the first answer
	Former          []Former   // epochs before this one of which something is here
	Events          []Event    // what befell the line, the latest last
	Refusal         *Refusal   // head office does not let this device in
}

// Former is an epoch that ended.
type Former struct {
	Epoch   string
	Waiting int
}

// Read returns the outbox's status.
func Read(tx *store.Tx) (Status, error) {
	s, err := load(tx)
	if err != nil {
		return Status{}, err
	}
	present := s.current()
	status := Status{Epoch: present.Epoch, AcknowledgedSeq: max(s.Acked, present.From) - present.From, Incarnation: s.Incarnation}
	for _, p := range s.spans {
		status.Waiting += s.waiting(p)
		status.Kept += s.all(p) - s.waiting(p)
		if p.To != 0 {
			status.Former = append(status.Former, Former{Epoch: p.Epoch, Waiting: s.waiting(p)})
		}
	}
	status.Events, status.Refusal = events(tx), readRefusal(tx)
	if status.Waiting == 0 {
		return status, nil
	}
	place, _ := s.head()
	oldest, err := store.GetJSON[wire.Record](tx, store.Outbox, store.NumberKey(place))
	if err == nil {
		status.Oldest = &oldest.Created
	} else if !errors.Is(err, store.ErrDamaged) {
		return status, err
	}
	return status, nil
}

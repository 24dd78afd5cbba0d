// Package outbox keeps what head office must be told, in one gapless sequence
// per database (epoch), until head office says that it has it on its own disk.
//
// What always holds: a record is added in the transaction of the change it tells
// about; it is deleted only some time after it was acknowledged; the same record
// is sent in the same bytes each time.
package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// RecordVersion is the layout version of new records.
const RecordVersion = 1

// state is the outbox in four facts. Records with First <= seq < Next are here;
// those below Acked are at head office too.
type state struct {
	First       uint64 `json:"first"`
	Acked       uint64 `json:"acked"` // head office has all below
	Next        uint64 `json:"next"`  // the seq of the next new record
	Incarnation string `json:"incarnation,omitempty"`
}

func load(tx *store.Tx) (state, error) {
	s, err := store.GetJSON[state](tx, store.OutboxState, []byte("state"))
	if errors.Is(err, store.ErrNotFound) {
		return state{First: 1, Acked: 1, Next: 1}, nil
	}
	if errors.Is(err, store.ErrDamaged) {
		return rebuild(tx)
	}
	if err != nil {
		return s, fmt.Errorf("read outbox: %w", err)
	}
	return s, nil
}

func (s state) save(tx *store.Tx) error {
	return store.PutJSON(tx, store.OutboxState, []byte("state"), s)
}

// Add puts a record in line and returns it with V, Epoch, Seq and, unless set,
// Created. Call it in the transaction of the change that the record tells about.
func Add(tx *store.Tx, r wire.Record) (wire.Record, error) {
	s, err := load(tx)
	if err != nil {
		return r, err
	}
	r.V, r.Epoch, r.Seq = RecordVersion, tx.Epoch(), s.Next
	if r.Created.IsZero() {
		r.Created = tx.Now()
	}
	if err := store.PutJSON(tx, store.Outbox, store.NumberKey(r.Seq), r); err != nil {
		return r, err
	}
	s.Next++
	return r, s.save(tx)
}

// Next returns the records that head office does not have, in order, and the seq
// of the first: at most limit records and maxBytes bytes, but always one if any
// waits. A damaged record ends the run of records before it; when it is the
// first, the code is outbox_damaged: call Mend, then go on.
func Next(tx *store.Tx, limit, maxBytes int) (records []json.RawMessage, first uint64, err error) {
	s, err := load(tx)
	if err != nil {
		return nil, 0, err
	}
	first = max(s.Acked, s.First)
	size := 0
	for seq := first; seq < s.Next && len(records) < limit; seq++ {
		line, err := tx.Get(store.Outbox, store.NumberKey(seq))
		if err != nil {
			return records, first, unreadable(seq, len(records), err)
		}
		size += len(line)
		if len(records) > 0 && size > maxBytes {
			break
		}
		records = append(records, line)
	}
	return records, first, nil
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
	AcknowledgedSeq uint64
	Incarnation     string // of head office, "" before the first answer
}

// Read returns the outbox's status.
func Read(tx *store.Tx) (Status, error) {
	s, err := load(tx)
	if err != nil {
		return Status{}, err
	}
	status := Status{Epoch: tx.Epoch(), AcknowledgedSeq: s.Acked - 1, Incarnation: s.Incarnation}
	status.Waiting = int(s.Next - max(s.Acked, s.First))
	status.Kept = int(s.Next-s.First) - status.Waiting
	if status.Waiting == 0 {
		return status, nil
	}
	oldest, err := store.GetJSON[wire.Record](tx, store.Outbox, store.NumberKey(max(s.Acked, s.First)))
	if err == nil {
		status.Oldest = &oldest.Created
	} else if !errors.Is(err, store.ErrDamaged) {
		return status, err
	}
	return status, nil
}

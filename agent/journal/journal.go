// Package journal keeps the journal of every run: what happened, in order, in a
// chain of hashes, on disk before anybody is told. A run is resumed from it, and
// what a run did is told from it alone (Describe).
//
// What always holds, checked by Append in the same transaction that writes: a
// journal begins with START and nothing follows END; its numbers have no gap; a
// business key is claimed by one run at a time; no run ends while one of its
// submits may have been sent and nobody knows the answer.
package journal

import (
	"errors"
	"fmt"
	"strings"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

// head says where a run's journal ends. It is written with every record.
type head struct {
	N     uint64   `json:"n"`
	Bytes int64    `json:"bytes,omitempty"` // of all records so far
	Hash  string   `json:"hash"`
	Pack  string   `json:"pack"`
	Ended bool     `json:"ended,omitempty"`
	Open  openness `json:"open,omitempty"`  // the submit that has no outcome yet
	Claim []byte   `json:"claim,omitempty"` // its row in store.Keys
}

// openness is how far the open submit of a run has come.
type openness string

const (
	closed   openness = ""
	intended openness = "intent" // surely not sent: PREPARED is on disk before anything leaves
	sent     openness = "sent"   // possibly sent
)

// Append writes one record behind the run's journal and returns it completed: V,
// N, At (the store's clock), Prev and Hash. With it it claims, settles or frees
// the business key of the submit, see keys.go.
//
// Codes: already_submitted, key_in_doubt (an INTENT whose key is taken),
// submit_open (END or a new INTENT while a submit is possibly sent),
// journal_order (a record that cannot stand here), journal_full (see bound.go),
// journal_damaged.
// When it fails nothing is written.
func Append(tx *store.Tx, r wire.JournalRecord) (wire.JournalRecord, error) {
	h, err := loadHead(tx, r)
	if err != nil {
		return r, fmt.Errorf("append %s to %s: %w", r.Kind, r.Run, err)
	}
	if err := advance(tx, &h, r); err != nil {
		return r, fmt.Errorf("append %s to %s: %w", r.Kind, r.Run, err)
	}
	r.V, r.N, r.At, r.Prev, r.Hash, r.Up = wire.JournalVersion, h.N+1, tx.Now(), h.Hash, "", uptimeOf(r.Kind)
	line, hash, err := encode(r)
	if err == nil {
		err = h.bound(r.Kind, int64(len(line)))
	}
	if err != nil {
		return r, fmt.Errorf("append %s to %s: %w", r.Kind, r.Run, err)
	}
	r.Hash, h.N, h.Hash, h.Bytes = hash, r.N, hash, h.Bytes+int64(len(line))
	if err := tx.Put(store.Journal, recordKey(r.Run, r.N), line); err != nil {
		return r, err
	}
	return r, store.PutJSON(tx, store.JournalHeads, []byte(r.Run), h)
}

// uptimeOf stamps the records that a wait is measured from with the machine's own
// clock: no change of the date makes such a wait longer or shorter.
func uptimeOf(kind wire.RecordKind) *wire.Uptime {
	switch kind {
	case wire.RecordPrepared, wire.RecordUnknown, wire.RecordTimer:
		return uptime.Now()
	}
	return nil
}

// loadHead finds the end of the run's journal and checks that r may stand there.
func loadHead(tx *store.Tx, r wire.JournalRecord) (head, error) {
	if r.Run == "" || strings.ContainsRune(r.Run, 0) {
		return head{}, orderFault("a record needs a run")
	}
	h, err := store.GetJSON[head](tx, store.JournalHeads, []byte(r.Run))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return head{}, mayStart(tx, r)
	case err != nil:
		return head{}, damaged(r.Run, "its end cannot be read: %w", err)
	case h.Ended:
		return head{}, orderFault("nothing follows END")
	case r.Kind == wire.RecordStart:
		return head{}, orderFault("the run has started already")
	}
	return h, nil
}

// mayStart: only START begins a journal, and only where none was before.
func mayStart(tx *store.Tx, r wire.JournalRecord) error {
	_, err := tx.Get(store.Journal, recordKey(r.Run, 1))
	if !errors.Is(err, store.ErrNotFound) {
		return damaged(r.Run, "its end is lost")
	}
	if r.Kind != wire.RecordStart {
		return orderFault("a journal begins with START")
	}
	return nil
}

func recordKey(run string, n uint64) []byte {
	return append(recordPrefix(run), store.NumberKey(n)...)
}

func recordPrefix(run string) []byte { return append([]byte(run), 0) }

func orderFault(format string, args ...any) error {
	return fault.New(fault.Application, "journal_order", format, args...).
		WithHint("report this as a fault of branchbot")
}

func damaged(run, format string, args ...any) error {
	return fault.New(fault.Application, "journal_damaged", "the journal of %s is damaged: %w", run, fmt.Errorf(format, args...)).
		WithHint("check the disk of this device; look the business key up in the business system before it is used again")
}

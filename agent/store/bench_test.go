package store_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// stepResult is a RESULT of ordinary size.
func stepResult(run string) wire.JournalRecord {
	value := encoded(map[string]string{"account_no": "6222020000000000017", "branch": "0042", "opened": "2026-11-23"})
	return wire.JournalRecord{
		Run: run, Kind: wire.RecordResult, Key: wire.JournalKey{Step: "open account", Attempt: 1, Call: "step", Ordinal: 1},
		Data: encoded(wire.ResultData{Value: value}), By: wire.By{Person: "branchbot", Kind: wire.BySystem},
	}
}

func benchStore(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func startRun(b *testing.B, s *store.Store) string {
	b.Helper()
	run := wire.NewID(wire.RunPrefix)
	start := wire.JournalRecord{Run: run, Kind: wire.RecordStart, Data: encoded(wire.StartData{Bot: "account-opening"})}
	if err := appendRecord(b, s, start); err != nil {
		b.Fatal(err)
	}
	return run
}

func appendRecord(b *testing.B, s *store.Store, r wire.JournalRecord) error {
	return s.Update(b.Context(), func(tx *store.Tx) error {
		_, err := journal.Append(tx, r)
		return err
	})
}

// BenchmarkStep is one journal record, durable. Compare with BenchmarkBarePut.
func BenchmarkStep(b *testing.B) {
	s := benchStore(b)
	r := stepResult(startRun(b, s))
	for b.Loop() {
		if err := appendRecord(b, s, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStepParallel is the same by eight runs at once: they share fsyncs.
func BenchmarkStepParallel(b *testing.B) {
	s := benchStore(b)
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		r := stepResult(startRun(b, s))
		for pb.Next() {
			if err := appendRecord(b, s, r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkOutboxAdd is one record for head office, durable.
func BenchmarkOutboxAdd(b *testing.B) {
	s := benchStore(b)
	body := make([]byte, 900)
	for i := range body {
		body[i] = '1'
	}
	for b.Loop() {
		err := s.Update(b.Context(), func(tx *store.Tx) error {
			_, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: "run_x", Body: body})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBarePut is what the disk and bbolt cost alone: one put of the same
// size, one fsynced transaction.
func BenchmarkBarePut(b *testing.B) {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value := encoded(stepResult("run_abcdefghij0123456789"))
	n := uint64(0)
	for b.Loop() {
		n++
		err := db.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists([]byte("rows"))
			if err != nil {
				return err
			}
			return rows.Put(store.NumberKey(n), value)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func encoded(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

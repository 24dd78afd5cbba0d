package sqlite_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchbot/headoffice/store"
	"branchbot/headoffice/store/sqlite"
	"branchbot/headoffice/store/storetest"
	"branchbot/internal/wire"
)

const atOnce = 1000

// BenchmarkIngest stores thousands of run records of 1 KB with their read model,
// durably. The floor, in the same run, is the bare insert of the same bytes.
func BenchmarkIngest(b *testing.B) {
	list := benchRecords()
	b.Run("floor", func(b *testing.B) { benchmark(b, sqlite.BareInserts(b, filepath.Join(b.TempDir(), "bare.db")), list) })
	b.Run("store", func(b *testing.B) {
		db, err := sqlite.Create(b.Context(), filepath.Join(b.TempDir(), "ho.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		storetest.Enrol(b, db, "dev_bench", "print")
		benchmark(b, func(first uint64, records []store.Record) error {
			results, err := db.Ingest(b.Context(), []store.Batch{{
				Device: "dev_bench", Fingerprint: "print", Epoch: "e", First: first, Oldest: 1, Records: records, Received: time.Now(),
			}})
			if err == nil && (results[0].Err != nil || results[0].Stored != len(records)) {
				err = fmt.Errorf("stored %d: %w", results[0].Stored, results[0].Err)
			}
			return err
		}, list)
	})
}

func benchmark(b *testing.B, put func(first uint64, records []store.Record) error, list []store.Record) {
	b.Helper()
	b.ResetTimer()
	next := uint64(1)
	for range b.N {
		b.StopTimer()
		for i := range list {
			list[i].Seq = next + uint64(i)
			list[i].Run.Run = fmt.Sprint("run_", list[i].Seq)
		}
		b.StartTimer()
		if err := put(next, list); err != nil {
			b.Fatal(err)
		}
		next += atOnce
	}
	b.ReportMetric(float64(b.N*atOnce)/b.Elapsed().Seconds(), "records/s")
}

func benchRecords() []store.Record {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	list := make([]store.Record, atOnce)
	for i := range list {
		run := wire.Run{Run: "run_x", Bot: "account-opening", Version: "1.0.0", State: wire.Succeeded, Started: now}
		raw := json.RawMessage(`{"text":"` + strings.Repeat("x", 900) + `"}`)
		list[i] = store.Record{Raw: raw, Digest: wire.Digest(raw), Kind: wire.KindRun, Subject: "run_x", Created: now, Run: &run}
	}
	return list
}

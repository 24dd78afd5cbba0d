package outbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// BenchmarkDrain takes 1 KB records out of line in hundreds and acknowledges
// them: what the device does to send; head office's part is not in it.
func BenchmarkDrain(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	body := json.RawMessage(`"` + strings.Repeat("x", 900) + `"`)
	const hundred = 100
	fill := func(tx *store.Tx) error {
		for range hundred {
			if _, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: "run_x", Body: body}); err != nil {
				return err
			}
		}
		return nil
	}
	for range b.N {
		if err := s.Update(b.Context(), fill); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		var next uint64
		err := s.View(func(tx *store.Tx) error {
			lines, first, err := outbox.Next(tx, hundred, 1<<20)
			next = first + uint64(len(lines))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Update(b.Context(), func(tx *store.Tx) error {
			return outbox.Acknowledge(tx, wire.IngestReply{Incarnation: "one", Epoch: tx.Epoch(), NextSeq: next})
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*hundred)/b.Elapsed().Seconds(), "records/s")
}

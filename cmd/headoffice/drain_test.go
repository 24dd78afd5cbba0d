package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

// fill puts run records of about 1 KB in line and returns their runs.
func fill(t testing.TB, dir, device string, records int) (runs []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const atOnce = 1000
	for len(runs) < records {
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			for range min(atOnce, records-len(runs)) {
				run := wire.Run{
					Run: wire.NewID(wire.RunPrefix), Bot: "account-opening", Version: "1.0.0", State: wire.Succeeded, Started: tx.Now(),
					Output: json.RawMessage(`{"text":"` + strings.Repeat("x", 500) + `"}`),
				}
				body, err := json.Marshal(run)
				if err != nil {
					return err
				}
				if _, err := outbox.Add(tx, wire.Record{Device: device, Kind: wire.KindRun, Subject: run.Run, Body: body}); err != nil {
					return err
				}
				runs = append(runs, run.Run)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return runs
}

// What waited a long time drains in order and once; `make soak` asks for 100,000
// records. The time goes into the figures.
func TestALongLineDrains(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.told = fill(t, s.dir, s.device, soak.Times(t, 5_000))
	begun := time.Now()
	s.made(0)
	took := time.Since(begun)
	inOrder := slices.Clone(s.told)
	s.check()
	runs, epochs := s.books()
	if len(runs) != len(inOrder) || epochs[0].NextSeq != uint64(len(inOrder))+1 {
		t.Errorf("%d runs, next %d, want %d once each", len(runs), epochs[0].NextSeq, len(inOrder))
	}
	soak.Report(t, map[string]any{
		"records": len(runs), "seconds": took.Seconds(), "per_second": fmt.Sprintf("%.0f", float64(len(runs))/took.Seconds()), "lost": len(inOrder) - len(runs),
	})
}

package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/space"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/configs"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

// together is how many records are written in one transaction here, and sent at once.
const together = 500

// TestTheFileStaysSmall writes records for head office without end, and the runs they
// are about; now and then the line is down and many wait. The file keeps to a bound
// that does not depend on how many there were.
func TestTheFileStaysSmall(t *testing.T) {
	t.Parallel()
	records := soak.Times(t, 30_000)
	config := configs.DefaultDevice()
	config.Data, config.Runs.KeepCount = t.TempDir(), 1000
	a := &Agent{o: Options{Config: config, Logger: slog.New(slog.DiscardHandler)}}
	var err error
	if a.store, err = store.Open(t.Context(), store.Options{Dir: config.Data}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.store.Close() })
	a.space = space.New(space.Options{Dir: config.Data, Store: a.store, Logger: a.o.Logger})
	if a.evidence, err = evidence.Open(evidence.Options{Dir: config.Data, Store: a.store}); err != nil {
		t.Fatal(err)
	}
	change(t, a, func(tx *store.Tx) error { return vault.PutIdentity(tx, vault.Identity{Device: "dev_1"}) })
	largest, compacted := store.Room{}, 0
	for made := 0; made < records; made += together {
		change(t, a, func(tx *store.Tx) error { return writeMany(tx, made) })
		if made/together%200 < 160 { // else the line is down: up to 20,000 wait
			change(t, a, func(tx *store.Tx) error {
				return outbox.Acknowledge(tx, wire.IngestReply{Epoch: tx.Epoch(), Incarnation: "one", NextSeq: uint64(made+together) + 1})
			})
		}
		if made/together%20 == 19 { // an hour has passed
			a.tidyOnce(t.Context())
			if room := a.store.Room(); wasteful(room) {
				a.compactOnce(t.Context(), room)
				compacted++
			}
		}
		if room := a.store.Room(); room.Size > largest.Size {
			largest = room
		}
	}
	const bound = 160 << 20
	if largest.Size > bound {
		t.Errorf("the file grew to %d MiB for %d records, more than %d", largest.Size>>20, records, bound>>20)
	}
	end := a.store.Room()
	soak.Report(t, map[string]any{
		"records": records, "largest_mib": largest.Size >> 20, "end_mib": end.Size >> 20, "used_mib": end.Used >> 20, "compacted": compacted,
	})
}

func change(t *testing.T, a *Agent, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := a.store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// writeMany adds records, one in ten of them with its run.
func writeMany(tx *store.Tx, from int) error {
	body := fmt.Appendf(nil, `{"output":%q}`, bytes.Repeat([]byte("x"), 600))
	for n := from; n < from+together; n++ {
		run := fmt.Sprintf("run_%09d", n)
		if _, err := outbox.Add(tx, wire.Record{Device: "dev_1", Kind: wire.KindRun, Subject: run, Body: body}); err != nil {
			return err
		}
		if n%10 > 0 {
			continue
		}
		for _, r := range []wire.JournalRecord{
			{Run: run, Kind: wire.RecordStart, Data: []byte(`{"bot":"open"}`)},
			{Run: run, Kind: wire.RecordResult, Data: body},
			{Run: run, Kind: wire.RecordEnd, Data: []byte(`{"state":"succeeded"}`)},
		} {
			if _, err := journal.Append(tx, r); err != nil {
				return err
			}
		}
		if err := journal.PutRun(tx, wire.Run{Run: run, State: wire.Succeeded, Started: tx.Now()}); err != nil {
			return err
		}
	}
	return nil
}

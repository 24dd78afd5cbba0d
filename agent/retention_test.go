package agent

import (
	"log/slog"
	"testing"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/configs"
	"branchbot/internal/wire"
)

// A run is forgotten by age and by number, but not while head office lacks its
// record, and never while it is open; its business key stays.
func TestWhichRunsAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	config := configs.DefaultDevice()
	config.Data, config.Runs.KeepDays, config.Runs.KeepCount = t.TempDir(), 30, 5
	a := &Agent{o: Options{Config: config, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)}}
	var err error
	if a.store, err = store.Open(t.Context(), store.Options{Dir: config.Data, Now: a.o.Now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.store.Close() })
	if a.evidence, err = evidence.Open(evidence.Options{Dir: config.Data, Store: a.store}); err != nil {
		t.Fatal(err)
	}
	write := func(id string, state wire.RunState) {
		change(t, a, func(tx *store.Tx) error {
			if err := journal.PutRun(tx, wire.Run{Run: id, State: state, Started: now}); err != nil {
				return err
			}
			_, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: id, Body: []byte(`{}`)})
			return err
		})
	}
	left := func() (ids []string) {
		err := a.store.View(func(tx *store.Tx) error {
			runs, err := journal.ListRuns(tx, journal.Filter{})
			for _, run := range runs {
				ids = append(ids, run.Run)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	expect := func(when string, want int) {
		t.Helper()
		a.tidyOnce(t.Context())
		if got := left(); len(got) != want {
			t.Errorf("%s: %q are left, want %d", when, got, want)
		}
	}
	change(t, a, func(tx *store.Tx) error { return vault.PutIdentity(tx, vault.Identity{Device: "dev_1"}) })
	write("run_open", wire.InDoubt)
	for _, id := range []string{"run_1", "run_2", "run_3", "run_4", "run_5", "run_6", "run_7"} {
		now = now.Add(time.Minute)
		write(id, wire.Succeeded)
	}
	expect("nothing was sent", 8)
	acknowledge := func(next uint64) {
		change(t, a, func(tx *store.Tx) error {
			return outbox.Acknowledge(tx, wire.IngestReply{Epoch: tx.Epoch(), Incarnation: "one", NextSeq: next})
		})
	}
	acknowledge(3) // the open one and run_1
	expect("two too many, one of them sent", 7)
	acknowledge(5)
	expect("two were too many", 6)
	now = now.AddDate(0, 0, 31)
	expect("old, one more was sent", 5)
	acknowledge(9)
	expect("all were sent", 1)
	if got := left(); got[0] != "run_open" {
		t.Errorf("left is %q", got)
	}
}

// Without a head office nothing waits for anybody.
func TestADeviceAloneForgetsToo(t *testing.T) {
	t.Parallel()
	config := configs.DefaultDevice()
	config.Data, config.Runs.KeepCount = t.TempDir(), 3
	a := &Agent{o: Options{Config: config, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}}
	var err error
	if a.store, err = store.Open(t.Context(), store.Options{Dir: config.Data}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.store.Close() })
	if a.evidence, err = evidence.Open(evidence.Options{Dir: config.Data, Store: a.store}); err != nil {
		t.Fatal(err)
	}
	change(t, a, func(tx *store.Tx) error { return writeMany(tx, 0) })
	a.tidyOnce(t.Context())
	err = a.store.View(func(tx *store.Tx) error {
		if runs, err := journal.ListRuns(tx, journal.Filter{}); err != nil || len(runs) != 3 {
			t.Errorf("%d runs are left (%v), want 3", len(runs), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

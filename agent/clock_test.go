package agent

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/schedules"
	"branchbot/agent/space"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/configs"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
	"branchbot/scheduler"
)

const day = 24 * time.Hour

// jumpy is a device whose clock on the wall jumps by years, and the plain truth
// about it: the time that really passed.
type jumpy struct {
	t      *testing.T
	r      *rand.Rand
	dir    string
	real   time.Time
	offset time.Duration // of the clock on the wall
	boot   time.Time     // when the machine was last started
	agent  *Agent
	rule   scheduler.Rule

	steady   time.Time
	settled  map[string]time.Time // business key → its window is over
	uploaded map[string]time.Time // evidence → when
	sent     map[uint64]time.Time // place in the outbox → when
	over     map[string]time.Time // run → when
	fired    map[string]int       // firing → how often
	records  int
}

func (j *jumpy) wall() time.Time { return j.real.Add(j.offset) }

func (j *jumpy) start() {
	j.t.Helper()
	config := configs.DefaultDevice()
	config.Data, config.Runs.KeepDays, config.Evidence.Days = j.dir, 20, 10
	j.agent = &Agent{o: Options{Config: config, Now: j.wall, Logger: slog.New(slog.DiscardHandler)}}
	var err error
	j.agent.store, err = store.Open(j.t.Context(), store.Options{
		Dir: j.dir, Now: j.wall, Elapsed: func() time.Duration { return j.real.Sub(j.boot) },
	})
	if err != nil {
		j.t.Fatal(err)
	}
	j.agent.space = space.New(space.Options{Dir: j.dir, Store: j.agent.store, Logger: j.agent.o.Logger})
	j.agent.evidence, err = evidence.Open(evidence.Options{Dir: j.dir, Store: j.agent.store})
	if err != nil {
		j.t.Fatal(err)
	}
	j.steady = time.Time{} // a kill may have cost it up to an hour
}

// jump sets the clock on the wall, by at least a hundred days.
func (j *jumpy) jump() { j.offset = time.Duration(j.r.IntN(80)-40) * 100 * day }

// off switches the device off for some days; its clock may be wrong afterwards.
func (j *jumpy) off() {
	if err := j.agent.store.Close(); err != nil {
		j.t.Fatal(err)
	}
	j.real = j.real.Add(time.Duration(j.r.IntN(int(20 * day))))
	if j.r.IntN(2) == 0 {
		j.jump()
	}
	if j.r.IntN(2) == 0 {
		j.boot = j.real
	}
	j.start()
}

func (j *jumpy) update(fn func(tx *store.Tx) error) {
	j.t.Helper()
	if err := j.agent.store.Update(j.t.Context(), fn); err != nil {
		j.t.Fatal(err)
	}
}

// live does what a device does in a day: a run with a submit, its record sent, a
// picture uploaded.
func (j *jumpy) live(n int) {
	j.t.Helper()
	run, key := fmt.Sprintf("run_%05d", n), fmt.Sprint("key ", n)
	window := time.Duration(1+j.r.IntN(40)) * day
	j.update(func(tx *store.Tx) error {
		for _, record := range []wire.JournalRecord{
			{Run: run, Kind: wire.RecordStart, Data: []byte(`{"bot":"open"}`)},
			{Run: run, Kind: wire.RecordIntent, Data: fmt.Appendf(nil, `{"submit":"open","key":%q,"window":%q}`, key, window)},
			{Run: run, Kind: wire.RecordPrepared, Data: []byte(`{}`)},
			{Run: run, Kind: wire.RecordOutcome, Data: []byte(`{"state":"acknowledged"}`)},
			{Run: run, Kind: wire.RecordEnd, Data: []byte(`{"state":"succeeded"}`)},
		} {
			if _, err := journal.Append(tx, record); err != nil {
				return err
			}
		}
		if err := journal.PutRun(tx, wire.Run{Run: run, State: wire.Succeeded, Started: tx.Now()}); err != nil {
			return err
		}
		_, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: run, Body: []byte(`{}`)})
		return err
	})
	j.records++
	j.settled[key], j.over[run] = j.real.Add(window), j.real
	if j.r.IntN(3) > 0 {
		j.acknowledge()
	}
	ref, err := j.agent.evidence.Put(j.t.Context(), fmt.Append(nil, "picture ", n), evidence.Meta{Run: run})
	if err != nil {
		j.t.Fatal(err)
	}
	if err := j.agent.evidence.MarkUploaded(j.t.Context(), ref.Digest); err != nil {
		j.t.Fatal(err)
	}
	j.uploaded[ref.Digest] = j.real
}

func (j *jumpy) acknowledge() {
	j.t.Helper()
	j.update(func(tx *store.Tx) error {
		return outbox.Acknowledge(tx, wire.IngestReply{Epoch: tx.Epoch(), Incarnation: "one", NextSeq: uint64(j.records) + 1})
	})
	for place := uint64(1); place <= uint64(j.records); place++ {
		if _, known := j.sent[place]; !known {
			j.sent[place] = j.real
		}
	}
}

// fire starts what the clock on the wall says is due.
func (j *jumpy) fire(since time.Time) {
	j.t.Helper()
	memory := schedules.NewFired(j.agent.store, nil)
	for at := j.rule.Next(since); !at.After(j.wall()) && at.Sub(since) < 3*day; at = j.rule.Next(at) {
		key := scheduler.Key{Schedule: "night", Rule: j.rule.String(), Local: at.Format("2006-01-02T15:04:05"), Due: at.UTC()}
		fresh, err := memory.Fire(j.t.Context(), key)
		if err != nil {
			j.t.Fatal(err)
		}
		if fresh {
			j.fired[key.Local]++
		}
	}
}

// check: nothing is gone before its time.
func (j *jumpy) check() {
	j.t.Helper()
	steady := j.agent.store.Steady()
	if steady.Before(j.steady) {
		j.t.Fatalf("the steady clock went back from %s to %s", j.steady, steady)
	}
	j.steady = steady
	err := j.agent.store.View(func(tx *store.Tx) error {
		for key, until := range j.settled {
			if _, taken, err := journal.FindClaim(tx, "open", key); err != nil || !taken && j.real.Before(until) {
				return fmt.Errorf("%s was freed %s early: %w", key, until.Sub(j.real), err)
			}
		}
		for place := uint64(1); place <= uint64(j.records); place++ {
			at, isSent := j.sent[place]
			if _, err := tx.Get(store.Outbox, store.NumberKey(place)); err != nil && (!isSent || j.real.Sub(at) < outbox.KeepFor) {
				return fmt.Errorf("record %d (sent %s ago) is gone: %w", place, j.real.Sub(at), err)
			}
		}
		for run, at := range j.over {
			if _, err := journal.GetRun(tx, run); err != nil && j.real.Sub(at) < 20*day {
				return fmt.Errorf("%s was forgotten after %s: %w", run, j.real.Sub(at), err)
			}
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
	for digest, at := range j.uploaded {
		if _, err := j.agent.evidence.Get(j.t.Context(), digest); err != nil && j.real.Sub(at) < 10*day {
			j.t.Fatalf("evidence was wiped after %s: %v", j.real.Sub(at), err)
		}
	}
	for key, times := range j.fired {
		if times > 1 {
			j.t.Fatalf("%s was fired %d times", key, times)
		}
	}
}

// TestClockJumps lets the clock on the wall jump by years, while the agent runs
// and while it does not. No key is freed early, nothing is deleted early, nothing
// is fired twice; and once the clock stays right everything goes in the end.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 4))
	rule, err := scheduler.Parse("30 2 * * *", "America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 10, 20, 9, 0, 0, 0, time.UTC) // summer time ends soon
	j := &jumpy{
		t: t, r: r, dir: t.TempDir(), real: start, boot: start.Add(-day), rule: rule, settled: map[string]time.Time{},
		uploaded: map[string]time.Time{}, sent: map[uint64]time.Time{}, over: map[string]time.Time{}, fired: map[string]int{},
	}
	j.start()
	j.update(func(tx *store.Tx) error { return vault.PutIdentity(tx, vault.Identity{Device: "dev_1"}) })
	days := min(soak.Times(t, 60), 300) // a firing is remembered for 400
	jumps := 0
	for n := range days {
		before := j.wall()
		j.real = j.real.Add(time.Duration(r.IntN(int(2 * day))))
		j.fire(before)
		switch r.IntN(6) {
		case 0:
			jumps++
			j.jump()
			j.fire(j.wall().Add(-2 * day)) // as the loop does: it looks again from where the clock stands
		case 1:
			jumps++
			j.off()
		}
		j.live(n)
		j.agent.tidyOnce(t.Context())
		j.check()
	}
	j.offset = 0
	for range 14 {
		j.acknowledge()
		j.real = j.real.Add(10 * day)
		j.agent.tidyOnce(t.Context())
		j.check()
	}
	j.gone()
	soak.Report(t, map[string]any{"days": days, "jumps": jumps, "early": 0, "twice": 0})
	_ = j.agent.store.Close()
}

// gone: nothing is kept for ever.
func (j *jumpy) gone() {
	j.t.Helper()
	left := map[store.Bucket]int{}
	err := j.agent.store.View(func(tx *store.Tx) error {
		for _, bucket := range []store.Bucket{store.Journal, store.JournalHeads, store.Keys, store.Runs, store.RunsByStart, store.RunsOver, store.Outbox, store.Evidence, store.EvidencePending} {
			err := tx.Range(bucket, store.Scan{}, func(_, _ []byte) error { left[bucket]++; return nil })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(left) > 0 {
		j.t.Errorf("still there after years: %v, %v", left, err)
	}
}

//go:build linux

package space_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/space"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/smalldisk"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

// life writes what runs write, and remembers what it was promised.
type life struct {
	t        *testing.T
	disk     *smalldisk.Disk
	store    *store.Store
	watch    *space.Watch
	evidence *evidence.Keeper
	points   int // reached so far
	fillAt   int // the point at which the disk is full, 0 for never
	full     bool
	greedy   bool // somebody takes the reserve as well, as soon as it is given up
	refused  bool // a result could not be written, even so

	records  map[string]int    // journal records by run
	ended    map[string]uint64 // place in the outbox by run
	pictures map[string]bool   // kept, by digest
	acked    uint64
}

func newLife(t *testing.T, fillAt int, greedy bool) *life {
	t.Helper()
	l := &life{t: t, disk: smalldisk.Memory(t, 8<<20), fillAt: fillAt, greedy: greedy, records: map[string]int{}, ended: map[string]uint64{}, pictures: map[string]bool{}}
	l.open()
	t.Cleanup(func() { _ = l.store.Close() })
	return l
}

func (l *life) open() {
	l.t.Helper()
	var err error
	dir := l.disk.Dir() + "/data"
	l.store, err = store.Open(context.Background(), store.Options{Dir: dir, Reserve: 16 << 20, Point: l.point})
	if len(l.records) == 0 && l.full && fault.HasCode(err, "disk_full") { // a new device needs room
		l.full = false
		l.disk.Free()
		l.open()
		return
	}
	if err != nil {
		l.t.Fatalf("open at fill %d: %v", l.fillAt, err)
	}
	l.watch = space.New(space.Options{Dir: dir, Store: l.store, Low: 256 << 20, Critical: 64 << 20, Logger: slog.New(slog.DiscardHandler)})
	l.evidence, err = evidence.Open(evidence.Options{Dir: dir, Store: l.store, Admit: func(string) error { return l.watch.AdmitPicture() }})
	if err != nil {
		l.t.Fatalf("open evidence at fill %d: %v", l.fillAt, err)
	}
}

func (l *life) point(string) {
	if l.points++; l.points == l.fillAt {
		l.full = true
		l.disk.Fill()
	}
	if l.full && l.greedy {
		l.disk.Fill()
	}
}

// result writes what must be written on a full disk, too.
func (l *life) result(what string, fn func(tx *store.Tx) error) bool {
	l.t.Helper()
	if l.refused { // the run waits
		return false
	}
	err := l.store.Update(context.Background(), fn)
	if l.greedy && l.full && fault.HasCode(err, "disk_full") {
		l.refused = true
		return false
	}
	if err != nil {
		l.t.Fatalf("fill %d: %s was refused: %v", l.fillAt, what, err)
	}
	return true
}

func (l *life) append(run string, kind wire.RecordKind, data any) {
	l.t.Helper()
	written := l.result(string(kind), func(tx *store.Tx) error {
		raw, err := json.Marshal(data)
		if err == nil {
			_, err = journal.Append(tx, wire.JournalRecord{Run: run, Kind: kind, Data: raw})
		}
		return err
	})
	if written {
		l.records[run]++
	}
}

func (l *life) run(id string) {
	l.t.Helper()
	l.append(id, wire.RecordStart, wire.StartData{Bot: "open", Inputs: json.RawMessage(`{}`)})
	for range 3 {
		l.append(id, wire.RecordResult, wire.ResultData{Value: json.RawMessage(`"` + strings.Repeat("x", 200) + `"`)})
	}
	l.append(id, wire.RecordIntent, wire.IntentData{Submit: "open", Key: id})
	l.append(id, wire.RecordPrepared, wire.PreparedData{Method: "POST"})
	l.picture(id)
	l.append(id, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitAcknowledged})
	var told wire.Record
	written := l.result("END", func(tx *store.Tx) error {
		end, err := json.Marshal(wire.EndData{State: wire.Succeeded})
		if err != nil {
			return err
		}
		if _, err := journal.Append(tx, wire.JournalRecord{Run: id, Kind: wire.RecordEnd, Data: end}); err != nil {
			return err
		}
		if err := journal.PutRun(tx, wire.Run{Run: id, State: wire.Succeeded, Started: tx.Now()}); err != nil {
			return err
		}
		told, err = outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: id, Body: end})
		return err
	})
	if written {
		l.records[id]++
		l.ended[id] = told.Seq
	}
}

func (l *life) picture(run string) {
	l.t.Helper()
	ref, err := l.evidence.Put(context.Background(), fmt.Append(nil, "picture of ", run, string(make([]byte, 20<<10))), evidence.Meta{Run: run, Kind: "before_submit"})
	switch {
	case err == nil:
		l.pictures[ref.Digest] = true
	case !fault.HasCode(err, "evidence_shed"):
		l.t.Fatalf("fill %d: picture: %v", l.fillAt, err)
	case !l.full:
		l.t.Errorf("fill %d: a picture was shed though there is room", l.fillAt)
	}
}

func (l *life) acknowledge() {
	l.t.Helper()
	next := uint64(len(l.ended)) + 1
	written := l.result("acknowledgement", func(tx *store.Tx) error {
		return outbox.Acknowledge(tx, wire.IngestReply{Epoch: tx.Epoch(), Incarnation: "one", NextSeq: next})
	})
	if written {
		l.acked = next - 1
	}
}

// whole compares what is there with what was promised.
func (l *life) whole(when string) {
	l.t.Helper()
	err := l.store.View(func(tx *store.Tx) error {
		for run, want := range l.records {
			if records, err := journal.Read(tx, run); err != nil || len(records) != want {
				return fmt.Errorf("%s has %d records, want %d: %w", run, len(records), want, err)
			}
		}
		status, err := outbox.Read(tx)
		if err == nil && (status.AcknowledgedSeq != l.acked || status.Waiting != len(l.ended)-int(l.acked)) {
			err = fmt.Errorf("outbox %+v, want %d acknowledged of %d", status, l.acked, len(l.ended))
		}
		return err
	})
	for digest := range l.pictures {
		if _, lost := l.evidence.Get(context.Background(), digest); lost != nil {
			err = lost
		}
	}
	if err != nil {
		l.t.Fatalf("fill %d, %s: %v", l.fillAt, when, err)
	}
}

func (l *life) live(runs int) {
	l.t.Helper()
	for range runs {
		l.run(fmt.Sprintf("run_%d", len(l.ended)))
	}
	l.acknowledge()
	if err := l.store.Compact(context.Background()); err != nil && !fault.HasCode(err, "copy_no_room") && !fault.HasCode(err, "disk_full") {
		l.t.Fatalf("fill %d: compact: %v", l.fillAt, err)
	}
}

// heal gives the room back: everything is as before, by itself.
func (l *life) heal() {
	l.t.Helper()
	if l.full {
		if err := l.watch.AdmitRun(); !fault.HasCode(err, "disk_critical") {
			l.t.Errorf("fill %d: a full disk admits a run: %v", l.fillAt, err)
		}
	}
	l.full, l.refused = false, false
	l.disk.Free()
	if level := l.watch.Level(); level != space.Ample || !l.store.Held() || l.watch.AdmitRun() != nil {
		l.t.Errorf("fill %d: with room again the level is %s, reserve held: %t", l.fillAt, level, l.store.Held())
	}
	l.run("run_after")
	l.whole("with room again")
}

// restart opens everything anew.
func (l *life) restart() {
	l.t.Helper()
	if err := l.store.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.open()
	l.whole("after a restart")
}

// TestFullAtEveryWrite fills the disk to the last byte at each named point of some
// runs' life. Results are written all the same, nothing promised is lost, a device
// with a full disk starts, and all heals when there is room again. Every other time somebody
// takes the reserve, too: then results are refused, and what was promised is there.
func TestFullAtEveryWrite(t *testing.T) {
	t.Parallel()
	const runs = 2
	never := newLife(t, 0, false)
	never.live(runs)
	never.whole("with room")
	n := never.points
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 3))
	times := min(soak.Times(t, n), 20*n)
	for k := range times {
		at, greedy := 1+k%n, (k+k/n)%2 == 1
		if k >= 2*n {
			at = 1 + r.IntN(n)
		}
		l := newLife(t, at, greedy)
		l.live(runs)
		l.whole("full")
		l.restart()
		l.heal()
		l.restart()
	}
	soak.Report(t, map[string]any{"points": n, "full_disks": times, "lost": 0})
}

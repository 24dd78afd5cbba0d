//go:build unix

package run_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const fillers = 200

// fill leaves less room than the end of a run with a large result needs, empty
// gives it back.
func (d *device) fill() {
	d.t.Helper()
	for i := range fillers {
		err := d.store.Update(d.t.Context(), func(tx *store.Tx) error {
			return tx.Put(store.Settings, fmt.Appendf(nil, "filler %d", i), make([]byte, 100<<10))
		})
		if fault.HasCode(err, "disk_full") {
			return
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	d.t.Fatal("the disk does not fill up")
}

func (d *device) empty() {
	d.t.Helper()
	err := d.store.Update(d.t.Context(), func(tx *store.Tx) (err error) {
		for i := range fillers {
			err = errors.Join(err, tx.Delete(store.Settings, fmt.Appendf(nil, "filler %d", i)))
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// An end that finds no room is kept and written when there is some: the script is
// not run again. A restart before that comes to the same end.
func TestEndOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %t", restart), func(t *testing.T) {
			t.Parallel()
			gate, marks := filepath.Join(t.TempDir(), "gate"), filepath.Join(t.TempDir(), "marks")
			s := setting{
				dir: t.TempDir(), script: "begin:a gate big finish:succeeded", maxSize: 9 << 20,
				env: []string{gateFile + "=" + gate, markFile + "=" + marks},
			}
			d := open(t, s)
			view := d.create()
			ended := make(chan error, 1)
			go func() {
				_, err := d.Execute(t.Context(), view.Run, run.Manner{})
				ended <- err
			}()
			d.until(view.Run, running)
			d.fill()
			if err := os.WriteFile(gate, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !fault.HasCode(err, "disk_full") {
				t.Fatalf("the end could be written: %v", err)
			}
			d.CatchUp(t.Context())
			if kinds := d.kinds(view.Run); slices.Contains(kinds, wire.RecordEnd) {
				t.Fatalf("the disk is full and the journal is %v", kinds)
			}
			d.empty()
			if restart {
				d.close()
				d = open(t, s)
				if err := d.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				d.CatchUp(t.Context())
			}
			if now := d.await(view.Run); now.State != wire.Succeeded || len(now.Output) < 1000 {
				t.Errorf("%s %+v, %d bytes", now.State, now.Exception, len(now.Output))
			}
			runners := count(marks, view.Run)
			if want := map[bool]int{false: 1, true: 2}[restart]; runners != want {
				t.Errorf("%d runners, want %d", runners, want)
			}
		})
	}
}

// The run that a schedule asks for and the schedule's own note of it are there
// together or not at all.
func TestWhatAsksForARunKnowsOfIt(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "finish:succeeded"})
	q, err := request()
	if err != nil {
		t.Fatal(err)
	}
	note := func(tx *store.Tx) error { return tx.Put(store.Settings, []byte("asked"), nil) }
	q.With = func(tx *store.Tx) error {
		if err := note(tx); err != nil {
			return err
		}
		return fault.New(fault.Application, "taken", "somebody was faster")
	}
	if _, err := d.Create(t.Context(), q); !fault.HasCode(err, "taken") || len(d.all()) != 0 {
		t.Errorf("created %v, %v", d.all(), err)
	}
	q.With = note
	if _, err := d.Create(t.Context(), q); err != nil || len(d.all()) != 1 {
		t.Errorf("created %v, %v", d.all(), err)
	}
	if err := d.store.View(func(tx *store.Tx) error { _, err := tx.Get(store.Settings, []byte("asked")); return err }); err != nil {
		t.Error(err)
	}
}

// Runs are taken up in the order in which they were started, also one whose submit
// is open, and one that was cancelled in the meantime looks first.
func TestTakenUpInOrder(t *testing.T) {
	t.Parallel()
	marks := filepath.Join(t.TempDir(), "marks")
	d := open(t, setting{script: "intent:a prepared die"})
	var ids []string
	for range 4 {
		ids = append(ids, d.create().Run)
	}
	for _, id := range ids {
		d.mustRun(id)
	}
	for i, record := range []wire.JournalRecord{
		{Kind: wire.RecordIntent, Data: []byte(`{"submit":"open","key":"k"}`)}, {Kind: wire.RecordPrepared, Data: []byte(`{}`)},
	} {
		record.Run, record.Key = ids[1], wire.JournalKey{Step: "open account", Attempt: 1, Call: "submit", Ordinal: 1}
		if err := d.write(record); err != nil {
			t.Fatal(i, err)
		}
	}
	for _, id := range []string{ids[1], ids[2]} {
		if err := d.Cancel(t.Context(), id, person); err != nil {
			t.Fatal(err)
		}
	}
	d.close()
	next := open(t, setting{dir: d.dir, script: "settle:acknowledged result finish:succeeded", env: []string{markFile + "=" + marks}})
	if err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []wire.RunState{wire.Succeeded, wire.Cancelled, wire.Cancelled, wire.Succeeded}
	for i, id := range ids {
		if now := next.await(id); now.State != want[i] {
			t.Errorf("run %d is %s %+v, want %s", i, now.State, now.Exception, want[i])
		}
	}
	text, err := os.ReadFile(marks)
	if err != nil {
		t.Fatal(err)
	}
	if order := ids[0] + "\n" + ids[1] + "\n" + ids[3] + "\n"; string(text) != order {
		t.Errorf("runners began as\n%s, want\n%s", text, order)
	}
	if view, err := next.Get(ids[1]); err != nil || view.Submits[0].State != wire.SubmitAcknowledged {
		t.Errorf("the open submit was not settled: %+v, %v", view.Submits, err)
	}
}

// A live restore: a runner that began before it sends nothing more, its successor
// looks first.
func TestRestoredWhileARunnerWorks(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	d := open(t, setting{script: "begin:a gate intent:k prepared outcome:acknowledged result restored finish:succeeded", env: []string{gateFile + "=" + gate}})
	view := d.create()
	d.Go(view.Run, view.Trigger)
	d.until(view.Run, running)
	d.restore()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	now := d.await(view.Run)
	kinds := d.kinds(view.Run)
	sent := slices.Index(kinds, wire.RecordPrepared)
	if again := slices.Index(kinds, wire.RecordTimer); now.State != wire.Succeeded || again < 0 || sent < again {
		t.Errorf("%s %+v, journal %v", now.State, now.Exception, kinds)
	}
}

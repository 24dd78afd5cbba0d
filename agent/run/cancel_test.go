//go:build unix

package run_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/run"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// until waits for a run to be in a state that is no end.
func (d *device) until(id string, holds func(wire.Run) bool) {
	d.t.Helper()
	updates, leave := d.Watch(id)
	defer leave()
	for {
		view, err := d.Get(id)
		if err != nil {
			d.t.Fatal(err)
		}
		if holds(view) {
			return
		}
		select {
		case <-updates:
		case <-d.t.Context().Done():
			d.t.Fatalf("the run is still %s", view.State)
		}
	}
}

// running: the runner has reached its "begin:a".
func running(view wire.Run) bool {
	return slices.ContainsFunc(view.Steps, func(s wire.StepView) bool { return s.Name == "a" })
}

func TestCancelWhileARunnerWorks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		state  wire.RunState
		sent   bool
	}{
		{"begin:a wait finish:cancelled", wire.Cancelled, false},
		{"begin:a wait finish:succeeded", wire.Succeeded, false}, // it was done before it heard
		{"begin:a wait die", wire.Cancelled, false},
		{"begin:a wait intent:a prepared finish:succeeded", wire.Succeeded, false}, // both are refused: nothing is sent
		{"intent:a prepared begin:a wait outcome:acknowledged finish:cancelled", wire.Cancelled, true},
		{"intent:a prepared begin:a wait prepared outcome:acknowledged finish:succeeded", wire.Succeeded, true}, // another leg of the same
		{"intent:a prepared begin:a wait finish:cancelled", wire.InDoubt, true},
		{"settle:unsure intent:a prepared begin:a wait die", wire.InDoubt, true},
		{"settle:acknowledged intent:a prepared begin:a wait die", wire.Cancelled, true}, // it is looked up before the run ends
		{"settle:not_processed intent:a prepared begin:a wait die", wire.Cancelled, true},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			d := open(t, setting{script: c.script})
			view := d.create()
			d.Go(view.Run, view.Trigger)
			d.until(view.Run, running)
			for range 2 { // twice is fine
				if err := d.Cancel(t.Context(), view.Run, person); err != nil && !fault.HasCode(err, "run_over") {
					t.Fatal(err)
				}
			}
			now := d.await(view.Run)
			if now.State != c.state {
				t.Errorf("%s %+v, want %s", now.State, now.Exception, c.state)
			}
			if sent := strings.Contains(fmt.Sprint(d.kinds(view.Run)), "prepared"); sent != c.sent {
				t.Errorf("journal %v; possibly sent: want %t", d.kinds(view.Run), c.sent)
			}
			d.close()
			if told := open(t, setting{dir: d.dir}).told(view.Run); !cmp.Equal(told, []wire.RunState{c.state}) {
				t.Errorf("head office is told %v", told)
			}
		})
	}
}

// A run that is cancelled while it waits for its turn never begins.
func TestCancelInTheLine(t *testing.T) {
	t.Parallel()
	marks, gate := filepath.Join(t.TempDir(), "marks"), filepath.Join(t.TempDir(), "gate")
	d := open(t, setting{script: "begin:a gate finish:succeeded", env: []string{markFile + "=" + marks, gateFile + "=" + gate}})
	first, second, third := d.create(), d.create(), d.create()
	for _, view := range []wire.Run{first, second, third} {
		d.Go(view.Run, view.Trigger)
	}
	d.until(first.Run, running)
	if err := d.Cancel(t.Context(), second.Run, person); err != nil {
		t.Fatal(err)
	}
	if err := d.Cancel(t.Context(), second.Run, person); !fault.HasCode(err, "run_over") {
		t.Errorf("the second cancel: %v, want run_over", err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for view, want := range map[string]wire.RunState{first.Run: wire.Succeeded, second.Run: wire.Cancelled, third.Run: wire.Succeeded} {
		if now := d.await(view); now.State != want {
			t.Errorf("%s, want %s", now.State, want)
		}
	}
	if err := d.Cancel(t.Context(), first.Run, person); !fault.HasCode(err, "run_over") {
		t.Errorf("cancel after the end: %v, want run_over", err)
	}
	if err := d.Cancel(t.Context(), "run_nothing", person); !fault.HasCode(err, "run_unknown") {
		t.Errorf("cancel of nothing: %v, want run_unknown", err)
	}
	if got, want := lines(t, marks), []string{first.Run, third.Run}; !cmp.Equal(got, want) {
		t.Errorf("runners of %v, want %v", got, want)
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func TestRunsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	marks, gate := filepath.Join(t.TempDir(), "marks"), filepath.Join(t.TempDir(), "gate")
	d := open(t, setting{script: "begin:a gate finish:succeeded", env: []string{markFile + "=" + marks, gateFile + "=" + gate}})
	var want []string
	for range 6 {
		view := d.create()
		want = append(want, view.Run)
		d.Go(view.Run, view.Trigger)
	}
	d.until(want[0], running)
	// One of the other kind does not wait for these.
	night := d.create()
	d.Go(night.Run, run.TriggerSchedule)
	d.until(night.Run, running)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range append(want, night.Run) {
		d.await(id)
	}
	got := lines(t, marks)
	if got[1] != night.Run {
		t.Errorf("the background run began as %v", got)
	}
	if got = append(got[:1], got[2:]...); !cmp.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestOneRunnerForOneRun(t *testing.T) {
	t.Parallel()
	marks := filepath.Join(t.TempDir(), "marks")
	d := open(t, setting{
		script: "result finish:succeeded", env: []string{markFile + "=" + marks},
		change: func(c *configs.Device) { c.Runs.Attended = 4 },
	})
	view := d.create()
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() { _, errs[i] = d.Execute(t.Context(), view.Run, run.Manner{}) })
	}
	all.Wait()
	begun := 0
	for _, err := range errs {
		if err == nil {
			begun++
		} else if !fault.HasCode(err, "run_not_queued") {
			t.Errorf("an execution beside another: %v", err)
		}
	}
	if got := lines(t, marks); begun != 1 || len(got) != 1 {
		t.Errorf("%d executions, %d runners; want one of each", begun, len(got))
	}
}

// What the end of the agent cuts short goes on at its next start, and planned
// stops are no lack of progress.
func TestAgentStopsAndStarts(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "begin:a wait finish:cancelled"})
	working, waiting := d.create(), d.create()
	for _, view := range []wire.Run{working, waiting} {
		d.Go(view.Run, view.Trigger)
	}
	for range 7 {
		d.until(working.Run, running)
		d.close()
		d.Go(waiting.Run, waiting.Trigger) // starts nothing any more
		d = d.again("begin:a wait finish:cancelled")
	}
	d.until(working.Run, running)
	d = d.again("result finish:succeeded")
	for _, id := range []string{working.Run, waiting.Run} {
		if now := d.await(id); now.State != wire.Succeeded {
			t.Errorf("%s %+v, want succeeded", now.State, now.Exception)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// The wish to stop a run holds over a crash of the agent.
func TestCancelOutlivesTheAgent(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	d := open(t, setting{script: "begin:a wait gate die", env: []string{gateFile + "=" + gate}})
	view := d.create()
	d.Go(view.Run, view.Trigger)
	d.until(view.Run, running)
	crashed := copyOf(t, d, func() {
		if err := d.Cancel(t.Context(), view.Run, person); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next := open(t, setting{dir: crashed, script: "result finish:succeeded"})
	if err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := next.await(view.Run); now.State != wire.Cancelled || !strings.Contains(now.Exception.Message, person.Person) {
		t.Errorf("%s %+v, want cancelled by %s", now.State, now.Exception, person.Person)
	}
}

// copyOf does something and gives the folder as a power cut would leave it then.
func copyOf(t *testing.T, d *device, act func()) string {
	t.Helper()
	act()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(d.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFiveResumesWithoutProgress(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "begin:a wait"})
	view := d.create()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = d.Execute(ctx, view.Run, run.Manner{}) }()
	d.until(view.Run, running)
	crashed := copyOf(t, d, func() {})
	next := open(t, setting{dir: crashed})
	for i := range 6 {
		again, err := next.Resumable(t.Context(), view.Run)
		if err != nil || again != (i < 5) {
			t.Fatalf("resume %d: %t, %v", i+1, again, err)
		}
		if again { // and the agent dies once more
			next.mustRun(view.Run)
		}
	}
	now, err := next.Get(view.Run)
	if err != nil || now.State != wire.Failed || now.Exception.Code != "no_progress" {
		t.Errorf("%s %+v, %v; want failed with no_progress", now.State, now.Exception, err)
	}
	if again, err := next.Resumable(t.Context(), view.Run); again || err != nil {
		t.Errorf("resume of a run that is over: %t, %v", again, err)
	}
}

//go:build linux

package main_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

// waitFor asks until the condition holds; the test's own deadline ends it.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still waiting for: %s", what)
		}
	}
}

func TestResultsReachHeadOfficeOnceAndInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Config: "allow_unsigned: true\n"})
	for _, act := range []func() error{
		func() error { return w.StartHeadOffice(t.Context()) },
		func() error { return w.Enrol(t.Context()) },
		func() error { return w.StartAgent(t.Context()) },
		func() error { return w.HeadOffice.Stop() },
	} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, number := range []string{number, "110105199003070090", "110105199003070110"} {
		out, err := w.Branchbot(t.Context(), "", "trigger", typed, "--wait", "--json",
			"--input", "name=王小明", "--input", "number="+number, "--input", "form=plain")
		view, code := runOf(t, out, err)
		if code != 0 {
			t.Fatalf("run without head office: exit %d, %+v", code, view.Exception)
		}
		ids = append(ids, view.Run)
	}
	if got := outbox(t, w); got.Waiting != 3 || got.HeadOffice != "offline" {
		t.Errorf("outbox %+v, want 3 waiting and offline", got)
	}
	if err := w.StartHeadOffice(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines, err := w.AtHeadOffice(t.Context(), "", 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 {
		t.Fatalf("head office shows %d runs, want 3", len(lines))
	}
	for i, line := range lines { // newest first
		var shown struct {
			Run string
			Seq uint64
		}
		if err := json.Unmarshal(line, &shown); err != nil {
			t.Fatal(err)
		}
		if want := ids[2-i]; shown.Run != want || shown.Seq != uint64(3-i) {
			t.Errorf("line %d is %s with seq %d, want %s with %d", i, shown.Run, shown.Seq, want, 3-i)
		}
	}
	waitFor(t, "an empty outbox", func() bool { return outbox(t, w).Waiting == 0 })
}

type outboxState struct {
	Waiting    int    `json:"waiting"`
	HeadOffice string `json:"head_office"`
}

func outbox(t *testing.T, w *world.World) outboxState {
	t.Helper()
	var state outboxState
	if err := json.Unmarshal(branchbot(t, w, "outbox", "--json"), &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// Whoever dies, nothing stays behind, and the run goes on from its journal.
func TestKilledAgentLeavesNothingAndResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Site.SetFault(bank.Fault{Kind: bank.Slow, DelayMS: 3000, Times: 1, Path: "/plain/accounts/new"})
	view, _ := runOf(t, branchbot(t, w, "trigger", typed, "--json",
		"--input", "name=王小明", "--input", "number="+number, "--input", "form=plain"), nil)
	waitFor(t, "the browser to sign in", func() bool { return w.Site.Summary().Posts["/login"] > 0 })
	below, err := procs.Tree(w.Agent.Pid())
	if err != nil || len(below) < 4 {
		t.Fatalf("agent, runner and browser are %d processes (%v)", len(below), err)
	}
	w.Agent.Kill()
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(below) })
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the run's end", func() bool {
		now, _ := runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil)
		return now.State == wire.Succeeded
	})
	if got := len(w.Site.Records()); got != 1 {
		t.Errorf("%d records at the site, want 1", got)
	}
	if _, err := os.Stat(w.Device() + "/scratch/" + view.Run); !os.IsNotExist(err) {
		t.Errorf("the run's scratch folder is still there (%v)", err)
	}
}

// Until packs are signed an enrolled device runs what came with the binary, and
// head office alone decides about its sites.
func TestEnrolledDeviceRunsOnlyShippedBots(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.StartHeadOffice(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		args       []string
	}{
		{"unsigned pack", "unsigned_refused", []string{"run", typed, "--input", "name=x", "--input", "number=" + number}},
		{"site", "already_enrolled", []string{"site", "set", "core", "https://elsewhere.example"}},
		{"second enrolment", "already_enrolled", []string{"enroll", "--head-office", w.HeadOfficeURL(), "--token", someToken(t, w)}},
	} {
		_, err := w.Branchbot(t.Context(), "", append(c.args, "--json")...)
		if exitCode(err) != 5 || codeOf(t, err) != c.code {
			t.Errorf("%s: %v; want exit 5 and %s", c.name, err, c.code)
		}
	}
	card, err := w.DrawCard(1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Branchbot(t.Context(), "", "run", "id-check", "--json", "--input", "document=@"+card, "--input", "name="+w.Person.Name,
		"--input", "number="+w.Person.Number(), "--input", "birth=1990-03-07")
	if view, code := runOf(t, out, err); code != 0 || view.Trust != "embedded" {
		t.Errorf("shipped bot: exit %d, %s, %+v", code, view.Trust, view.Exception)
	}
}

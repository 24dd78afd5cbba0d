//go:build unix

package run_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/control"
	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const sendAll = "intent:a prepared outcome:acknowledged result finish:succeeded"

func TestHowARunEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script string
		state  wire.RunState
		code   string
		told   []wire.RunState
	}{
		{sendAll, wire.Succeeded, "", []wire.RunState{wire.Succeeded}},
		{"finish:failed", wire.Failed, "scripted", []wire.RunState{wire.Failed}},
		{"finish:waiting", wire.WaitingOn, "scripted", []wire.RunState{wire.WaitingOn}},
		{"intent:a prepared finish:in_doubt", wire.InDoubt, "scripted", []wire.RunState{wire.InDoubt}},
		// what a runner says and what the journal says
		{"intent:a prepared finish:succeeded", wire.InDoubt, "in_doubt", []wire.RunState{wire.InDoubt}},
		{"intent:a prepared finish:failed", wire.InDoubt, "in_doubt", []wire.RunState{wire.InDoubt}},
		{"intent:a prepared die", wire.InDoubt, "in_doubt", []wire.RunState{wire.InDoubt}},
		{"intent:a finish:in_doubt", wire.Failed, "scripted", []wire.RunState{wire.Failed}},
		// what no runner may decide
		{"finish:queued", wire.Failed, "pipe_damaged", []wire.RunState{wire.Failed}},
		{"finish:missed", wire.Failed, "pipe_damaged", []wire.RunState{wire.Failed}},
		{"finish:", wire.Failed, "pipe_damaged", []wire.RunState{wire.Failed}},
		{"finish:cancelled", wire.Failed, "scripted", []wire.RunState{wire.Failed}},
		// runners that die
		{"die-first finish:succeeded", wire.Succeeded, "", []wire.RunState{wire.Succeeded}},
		{"late", wire.Succeeded, "", []wire.RunState{wire.Succeeded}},
		{"settle:unsure intent:a prepared die", wire.InDoubt, "scripted", []wire.RunState{wire.InDoubt}},
		{"settle:acknowledged intent:a prepared die", wire.Failed, "no_progress", []wire.RunState{wire.Failed}},
		{"intent:a die", wire.Failed, "no_progress", []wire.RunState{wire.Failed}}, // an intent is no progress
		{"die", wire.Failed, "no_progress", []wire.RunState{wire.Failed}},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			d := open(t, setting{script: c.script})
			view := d.execute()
			code := ""
			if view.Exception != nil {
				code = view.Exception.Code
			}
			if view.State != c.state || code != c.code {
				t.Errorf("%s with %q, want %s with %q", view.State, code, c.state, c.code)
			}
			if got := d.told(view.Run); !cmp.Equal(got, c.told) {
				t.Errorf("head office is told %v, want %v", got, c.told)
			}
			if ended := slices.Contains(d.kinds(view.Run), wire.RecordEnd); ended != view.State.Final() {
				t.Errorf("the journal has an end: %t, the state is %s", ended, view.State)
			}
			if _, err := os.Stat(filepath.Join(d.dir, "scratch", view.Run)); !os.IsNotExist(err) {
				t.Errorf("the scratch folder is still there (%v)", err)
			}
		})
	}
}

func TestRunnerIsNotTrusted(t *testing.T) {
	t.Parallel()
	script := "write:start write:end write:signal reconciled:person write:nonsense large outcome:acknowledged prepared " +
		"secret:core read:/etc/passwd evidence:text/html evidence:image/png result finish:succeeded"
	d := open(t, setting{script: script})
	view := d.execute()
	var output struct{ Replies []string }
	if err := json.Unmarshal(view.Output, &output); err != nil {
		t.Fatal(err)
	}
	refused := "record_refused"
	want := []string{
		refused, refused, refused, refused, refused, refused, "journal_order", "journal_order",
		"capability_denied", "capability_denied", "evidence_refused", "ok", "ok",
	}
	if diff := cmp.Diff(want, output.Replies); diff != "" {
		t.Error(diff)
	}
	if got, want := d.kinds(view.Run), []wire.RecordKind{wire.RecordStart, wire.RecordResult, wire.RecordEnd}; !cmp.Equal(got, want) {
		t.Errorf("journal %v, want %v: nothing of other runs, nothing refused", got, want)
	}
	if len(view.Evidence) != 1 {
		t.Errorf("%d pictures, want 1", len(view.Evidence))
	}
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "finish:failed"})
	created := d.create()
	ended, err := d.Execute(t.Context(), created.Run, run.Manner{})
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []wire.Run{created, ended} {
		text, err := json.Marshal(view)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"steps", "submits", "forms", "evidence"} {
			if strings.Contains(string(text), `"`+name+`":null`) {
				t.Errorf("%s is null in %s", name, text)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer control.Answer
		state  wire.RunState // of the run, right after
		code   string        // of the refusal
		then   wire.RunState // after it went on, with a runner that sends if nothing was sent
		kinds  int           // PREPARED records at the end
	}{
		{"sent", control.Answer{Submitted: " 1001 "}, wire.Queued, "", wire.Succeeded, 1},
		{"not sent", control.Answer{NotSubmitted: true}, wire.Queued, "", wire.Succeeded, 1},
		{"not sent, no more of it", control.Answer{NotSubmitted: true, Cancel: true}, wire.Cancelled, "", wire.Cancelled, 1},
		{"cancel says nothing about the form", control.Answer{Cancel: true}, wire.InDoubt, "submit_open", wire.InDoubt, 1},
		{"both", control.Answer{Submitted: "1", NotSubmitted: true}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
		{"sent and cancelled", control.Answer{Submitted: "1", Cancel: true}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
		{"nothing", control.Answer{}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
		{"blank", control.Answer{Submitted: "  "}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
		{"endless", control.Answer{Submitted: strings.Repeat("9", 1000)}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
		{"a field", control.Answer{Fields: map[string]string{"name": "x"}}, wire.InDoubt, "answer_invalid", wire.InDoubt, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, setting{script: "intent:a prepared die"})
			view := d.execute()
			c.answer.Run, c.answer.By = view.Run, person
			_, err := d.Answer(t.Context(), c.answer)
			if now, _ := d.Get(view.Run); fault.Code(err) != c.code || now.State != c.state {
				t.Fatalf("%s, error %v; want %s, code %q", now.State, err, c.state, c.code)
			}
			next := d.again("result finish:succeeded")
			if now := next.await(view.Run); now.State != c.then {
				t.Errorf("then %s, want %s", now.State, c.then)
			}
			sent := 0
			for _, kind := range next.kinds(view.Run) {
				if kind == wire.RecordPrepared {
					sent++
				}
			}
			if sent != c.kinds {
				t.Errorf("%d times possibly sent, want %d", sent, c.kinds)
			}
		})
	}
}

func TestAnswerWhereNothingIsInDoubt(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "finish:succeeded"})
	queued, done := d.create(), d.execute()
	for id, code := range map[string]string{queued.Run: "not_in_doubt", done.Run: "not_in_doubt", "run_nothing": "run_unknown"} {
		if _, err := d.Answer(t.Context(), control.Answer{Run: id, By: person, Submitted: "1"}); !fault.HasCode(err, code) {
			t.Errorf("answer for %s: %v, want %s", id, err, code)
		}
	}
	if _, err := d.Answer(t.Context(), control.Answer{Run: done.Run, By: person, Cancel: true}); !fault.HasCode(err, "run_over") {
		t.Errorf("cancel of a run that is over: %v, want run_over", err)
	}
	if _, err := d.Answer(t.Context(), control.Answer{Run: queued.Run, Cancel: true}); !fault.HasCode(err, "answer_invalid") {
		t.Errorf("an answer by nobody: %v, want answer_invalid", err)
	}
}

func TestUnsignedPacksOnAnEnrolledDevice(t *testing.T) {
	t.Parallel()
	d := open(t, setting{script: "finish:succeeded"})
	before := d.create()
	err := d.store.Update(t.Context(), func(tx *store.Tx) error {
		return vault.PutIdentity(tx, vault.Identity{Device: "dev_a", HeadOffice: "https://head.example"})
	})
	if err != nil {
		t.Fatal(err)
	}
	q, err := request()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(t.Context(), q); !fault.HasCode(err, "unsigned_refused") {
		t.Errorf("create: %v, want unsigned_refused", err)
	}
	view, err := d.Execute(t.Context(), before.Run, run.Manner{})
	if err != nil || view.State != wire.Failed || view.Exception.Code != "unsigned_refused" {
		t.Errorf("a run from before enrolment: %s %+v, %v; want it refused", view.State, view.Exception, err)
	}
	d.close()
	allowed := open(t, setting{dir: d.dir, script: "finish:succeeded", change: func(c *configs.Device) { c.AllowUnsigned = true }})
	if view := allowed.execute(); view.State != wire.Succeeded {
		t.Errorf("with allow_unsigned: %s %+v", view.State, view.Exception)
	}
}

func TestUnknownTrigger(t *testing.T) {
	t.Parallel()
	d := open(t, setting{})
	q, err := request()
	if err != nil {
		t.Fatal(err)
	}
	q.Trigger = "magic"
	if _, err := d.Create(t.Context(), q); !fault.HasCode(err, "trigger_unknown") {
		t.Errorf("create: %v, want trigger_unknown", err)
	}
}

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

func TestStepsRunOnceAndGiveTheirValue(t *testing.T) {
	t.Parallel()
	p := newPack(t, `
def run(input):
    a = step("same", lambda: {"n": [1, 2.0, None, True, "文"], "v": outside("x")})
    b = step("same", lambda: (act("second"), 7)[1])
    def nested():
        return [step("inner", lambda: "in"), step("inner", lambda: "again")]
    return {"a": a, "b": b, "c": step("outer", nested), "word": input.word}
`)
	w, h := &world{}, &hosttest.Host{Run: "run_test"}
	f := start(t.Context(), p, w, h)
	want := `{"a":{"n":[1,2.0,null,true,"文"],"v":"value 1"},"b":7,"c":["in","again"],"word":"hello"}`
	if f.State != wire.Succeeded || string(f.Output) != want {
		t.Fatalf("got %s %s %+v, want %s", f.State, f.Output, f.Exception, want)
	}
	var keys []string
	for _, r := range h.Journal() {
		keys = append(keys, r.Key.Step+" "+r.Key.Call)
	}
	if diff := cmp.Diff([]string{"same outside", "same step", "same#2 step", "outer/inner step", "outer/inner#2 step", "outer step"}, keys); diff != "" {
		t.Error(diff)
	}
	again := start(t.Context(), p, w, h.Resume())
	if string(again.Output) != want || !slices.Equal(w.did, []string{"same#2:second"}) || w.values != 1 {
		t.Errorf("replay gave %s, world %+v", again.Output, w)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	passing := fault.New(fault.Application, "site_error", "busy").Retry()
	for _, tc := range []struct {
		name     string
		errs     []error
		acts     int
		wantCode string
	}{
		{"passes by itself", []error{passing, passing}, 3, ""},
		{"does not pass", []error{passing, passing, passing, passing}, 3, "site_error"},
		{"not of the passing kind", []error{fault.New(fault.Application, "gone", "gone")}, 1, "gone"},
		{"business", []error{fault.New(fault.Business, "too_young", "too young").Retry()}, 1, "too_young"},
		{"unreachable", []error{fault.New(fault.Unreachable, "site_unreachable", "away").Retry()}, 2, ""},
		{"refused", []error{fault.New(fault.Refused, "capability_denied", "no").Retry()}, 1, "capability_denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := newPack(t, "def run(input):\n  step('outer', lambda: step('a', lambda: act('go')))\n")
			p.Manifest.Retry.Attempts = 3
			w, h := &world{fail: map[string][]error{"go": tc.errs}}, &hosttest.Host{}
			f := start(t.Context(), p, w, h)
			if code(f) != tc.wantCode || len(w.did) != tc.acts {
				t.Fatalf("got %q after %d acts, want %q after %d", code(f), len(w.did), tc.wantCode, tc.acts)
			}
			// A failure that is on disk stays: the step is not tried again after a restart.
			again := start(t.Context(), p, w, h.Resume())
			if code(again) != tc.wantCode && code(again) != "" && len(w.did) != tc.acts {
				t.Errorf("after restart: %q after %d acts", code(again), len(w.did))
			}
			if tc.wantCode != "" && f.Exception.Where == "" {
				t.Error("exception without a place")
			}
		})
	}
}

func TestInnerValuesAreReusedOrSuperseded(t *testing.T) {
	t.Parallel()
	script := `
def run(input):
    def work():
        a = outside("same")
        b = outside("%s")
        act("between")
        return [a, b, outside("same")]
    return {"v": step("s", work)}
`
	stop := errors.New("cut")
	w := &world{fail: map[string][]error{"between": {stop}}}
	h := &hosttest.Host{}
	if f := start(t.Context(), newPack(t, strings.Replace(script, "%s", "first", 1)), w, h); f.State != wire.Failed {
		t.Fatalf("got %s", f.State)
	}
	records := h.Journal()
	h = (&hosttest.Host{}).WithJournal(records[:2]) // the failure itself is lost: a crash
	f := start(t.Context(), newPack(t, strings.Replace(script, "%s", "second", 1)), w, h)
	if got, want := string(f.Output), `{"v":["value 1","value 3","value 4"]}`; got != want {
		t.Errorf("got %s, want %s (%+v)", got, want, f.Exception)
	}
}

func TestDivergence(t *testing.T) {
	t.Parallel()
	before := "def run(input):\n  a = outside('x')\n  step('one', lambda: 1)\n  step('two', lambda: act('go'))\n"
	for name, now := range map[string]string{
		"other argument":   "def run(input):\n  a = outside('y')\n  step('one', lambda: 1)\n",
		"other step":       "def run(input):\n  a = outside('x')\n  step('eins', lambda: 1)\n",
		"other order":      "def run(input):\n  step('one', lambda: 1)\n  a = outside('x')\n",
		"early end":        "def run(input):\n  a = outside('x')\n",
		"begun step gone":  "def run(input):\n  a = outside('x')\n  step('one', lambda: 1)\n",
		"other call first": "def run(input):\n  a = outside('x')\n  step('one', lambda: 1)\n  uuid()\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{fail: map[string][]error{"go": {errors.New("cut")}}}
			h := &hosttest.Host{}
			start(t.Context(), newPack(t, before), w, h)
			f := start(t.Context(), newPack(t, now), w, h.Resume())
			if code(f) != "diverged" || f.State != wire.Failed {
				t.Errorf("got %s %q", f.State, code(f))
			}
		})
	}
}

const submitting = `
def run(input):
    def go():
        act("open page")
        submit("%s")
        return "ignored"
    return step("send", go)
`

func TestSubmit(t *testing.T) {
	t.Parallel()
	found := func(modules.Scope) (map[string]string, bool, error) {
		return map[string]string{"account_no": "62170009"}, true, nil
	}
	absent := func(modules.Scope) (map[string]string, bool, error) { return nil, false, nil }
	for _, tc := range []struct {
		name, how string
		cut       int // records after which the runner dies
		settle    func(modules.Scope) (map[string]string, bool, error)
		want      string // output or code
		state     wire.RunState
		sent      int
	}{
		{"accepted", "ok", 0, nil, `{"account_no":"62170001"}`, wire.Succeeded, 1},
		{"dies after intent", "ok", 1, nil, `{"account_no":"62170001"}`, wire.Succeeded, 1},
		{"dies after prepared, found", "ok", 2, found, `{"account_no":"62170009"}`, wire.Succeeded, 0},
		{"dies after prepared, absent", "ok", 2, absent, `{"account_no":"62170001"}`, wire.Succeeded, 1},
		{"dies after prepared, nobody sees", "ok", 2, nobody, "in_doubt", wire.InDoubt, 0},
		{"dies after outcome", "ok", 3, nil, `{"account_no":"62170001"}`, wire.Succeeded, 1},
		{"dies after the step", "ok", 4, nil, `{"account_no":"62170001"}`, wire.Succeeded, 1},
		{"rejected", "reject", 0, nil, "rejected", wire.Failed, 1},
		{"rejected, then dies", "reject", 3, nil, "rejected", wire.Failed, 1},
		{"unknown, found", "unknown", 0, found, `{"account_no":"62170009"}`, wire.Succeeded, 1},
		{"unknown, nobody sees", "unknown", 0, nobody, "in_doubt", wire.InDoubt, 1},
		{"unknown, look-up breaks", "unknown", 0, func(modules.Scope) (map[string]string, bool, error) {
			return nil, false, fault.New(fault.Application, "site_error", "down")
		}, "in_doubt", wire.InDoubt, 1},
		{"mismatch", "mismatch", 0, nil, "submit_mismatch", wire.Failed, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, h := &world{settle: tc.settle}, &hosttest.Host{CutAfter: tc.cut}
			p := newPack(t, strings.Replace(submitting, "%s", tc.how, 1))
			f := start(t.Context(), p, w, h)
			if tc.cut > 0 {
				f = start(t.Context(), p, w, h.Resume())
			}
			got := string(f.Output)
			if f.Exception != nil {
				got = f.Exception.Code
			}
			sent := 0
			for _, did := range w.did {
				if did == "sent" {
					sent++
				}
			}
			if got != tc.want || f.State != tc.state || sent != tc.sent {
				t.Errorf("got %s %s, sent %d (%+v); want %s %s, sent %d", f.State, got, sent, f.Exception, tc.state, tc.want, tc.sent)
			}
		})
	}
}

func TestCancelledWithOpenSubmitIsInDoubt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	w, h := &world{}, &hosttest.Host{}
	w.settle = func(modules.Scope) (map[string]string, bool, error) {
		cancel(fault.New(fault.Interrupted, "cancelled", "stopped by a person"))
		return nil, false, context.Cause(ctx)
	}
	f := start(ctx, newPack(t, strings.Replace(submitting, "%s", "unknown", 1)), w, h)
	if f.State != wire.InDoubt || f.Exception.Code != "in_doubt" {
		t.Errorf("got %s %+v", f.State, f.Exception)
	}
}

func TestAnotherIntentDiverges(t *testing.T) {
	t.Parallel()
	script := "def run(input):\n  step('send', lambda: submit('ok', 'KEY'))\n"
	w, h := &world{}, &hosttest.Host{CutAfter: 1}
	start(t.Context(), newPack(t, strings.Replace(script, "KEY", "a", 1)), w, h)
	if f := start(t.Context(), newPack(t, strings.Replace(script, "KEY", "b", 1)), w, h.Resume()); code(f) != "diverged" || len(w.did) > 0 {
		t.Errorf("got %s %+v, did %v", f.State, f.Exception, w.did)
	}
	if f := start(t.Context(), newPack(t, strings.Replace(script, "KEY", "a", 1)), w, h.Resume()); f.State != wire.Succeeded {
		t.Errorf("got %s %+v", f.State, f.Exception)
	}
}

func TestTakenKey(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Taken: map[string]error{"k": fault.New(fault.Business, "already_submitted", "run_1 has done it")}}
	f := start(t.Context(), newPack(t, strings.Replace(submitting, "%s", "ok", 1)), &world{}, h)
	if code(f) != "already_submitted" || f.Exception.Kind != "business" || f.State != wire.Failed {
		t.Errorf("got %s %+v", f.State, f.Exception)
	}
}

// nobody is a look-up that cannot see.
func nobody(modules.Scope) (map[string]string, bool, error) {
	return nil, false, fault.New(fault.Waiting, "in_doubt", "nobody can see")
}

// A person who decides knows one reference; the script finds it under its own name.
func TestAPersonDecides(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		data  wire.ReconciledData
		names map[string]string
		want  string
		sent  int
	}{
		{
			"submitted",
			wire.ReconciledData{State: wire.SubmitAcknowledged, By: "person", Receipt: map[string]string{"reference": "R1"}},
			map[string]string{"account_no": "$.no"},
			`{"account_no":"R1","reference":"R1"}`, 1,
		},
		{
			"several names",
			wire.ReconciledData{State: wire.SubmitAcknowledged, By: "person", Receipt: map[string]string{"reference": "R1"}},
			map[string]string{"account_no": "$.no", "card": "$.card"},
			`{"account_no":"","card":"","reference":"R1"}`, 1,
		},
		{"not submitted", wire.ReconciledData{State: wire.SubmitNotProcessed, By: "person"}, nil, `{"account_no":"62170001"}`, 2},
	} {
		w, h := &world{settle: nobody}, &hosttest.Host{CutAfter: 3, CutBefore: true}
		p := newPack(t, strings.Replace(submitting, "%s", "ok", 1))
		p.Manifest.Submits = map[string]*pack.Submit{"open": {Success: pack.Reply{Receipt: tc.names}}}
		start(t.Context(), p, w, h)
		h = h.Resume()
		if f := start(t.Context(), p, w, h); f.State != wire.InDoubt {
			t.Fatalf("%s: got %s %+v", tc.name, f.State, f.Exception)
		}
		data, err := json.Marshal(tc.data)
		if err != nil {
			t.Fatal(err)
		}
		answer := wire.JournalRecord{Kind: wire.RecordReconciled, Key: wire.JournalKey{Step: "send", Attempt: 2, Call: "submit", Ordinal: 1}, Data: data}
		if _, err := h.Append(t.Context(), answer); err != nil {
			t.Fatal(err)
		}
		f := start(t.Context(), p, w, h.Resume())
		sent := strings.Count(strings.Join(w.did, " "), "sent")
		if string(f.Output) != tc.want || sent != tc.sent {
			t.Errorf("%s: got %s %s %+v, sent %d; want %s, %d", tc.name, f.State, f.Output, f.Exception, sent, tc.want, tc.sent)
		}
	}
}

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/engine"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// mender is a module that can be repaired.
type mender struct {
	modules.Module
	calls *[]string
}

func (m mender) Repair(_ context.Context, failure error, attempt int) {
	*m.calls = append(*m.calls, fmt.Sprintf("%s %d", fault.Code(failure), attempt))
}

func mending(w *world, calls *[]string) modules.Factory {
	inner := w.factory()
	return modules.Factory{Name: "world", New: func(rt modules.Runtime) modules.Module { return mender{inner.New(rt), calls} }}
}

func passing() error { return fault.New(fault.Application, "site_error", "busy").Retry() }

// Between two attempts every module may mend what it holds, and is told why and
// after which attempt; nothing is mended where there is no other attempt.
func TestRepairBetweenAttempts(t *testing.T) {
	t.Parallel()
	p := newPack(t, "def run(input):\n  step('a', lambda: act('go'))\n")
	p.Manifest.Retry.Attempts = 3
	var calls []string
	w := &world{fail: map[string][]error{"go": {passing(), passing(), passing(), passing()}}}
	c := config(p, w, &hosttest.Host{})
	c.Modules[len(c.Modules)-1] = mending(w, &calls)
	f := engine.Run(t.Context(), c)
	if want := []string{"site_error 1", "site_error 2"}; !slices.Equal(calls, want) || code(f) != "site_error" {
		t.Errorf("repairs %v, want %v; the run ended with %q", calls, want, code(f))
	}
}

// Each step has its own number of attempts and its own wait, which grows the same
// way each time.
func TestRetryOfEachStep(t *testing.T) {
	t.Parallel()
	p := newPack(t, "def run(input):\n  step('outer', lambda: [step('slow', lambda: act('one')) for i in range(2)])\n")
	p.Manifest.Retry = pack.Retry{Attempts: 1}
	p.Manifest.Steps = map[string]pack.Retry{"slow": {Attempts: 4, Backoff: time.Millisecond}}
	w, h := &world{fail: map[string][]error{"one": {passing(), passing(), passing(), nil, passing()}}}, &hosttest.Host{}
	if f := start(t.Context(), p, w, h); code(f) != "" {
		t.Fatalf("ended with %q after %v", code(f), w.did)
	}
	var waits []int64
	for _, r := range h.Journal() {
		var timer wire.TimerData
		if r.Kind == wire.RecordTimer && json.Unmarshal(r.Data, &timer) == nil {
			waits = append(waits, timer.LengthMS)
		}
	}
	if want := []int64{1, 2, 4, 1}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}

func TestDefaultsOfRetry(t *testing.T) {
	t.Parallel()
	m := &pack.Manifest{Steps: map[string]pack.Retry{"a": {Deadline: time.Second}}}
	if got, want := m.RetryOf("a"), (pack.Retry{Attempts: 3, Backoff: 2 * time.Second, Deadline: time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := m.RetryOf("b"), (pack.Retry{Attempts: 3, Backoff: 2 * time.Second, Deadline: 5 * time.Minute}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := m.RetryOf("b").Wait(40); got != pack.MaxBackoff {
		t.Errorf("the 40th wait is %s", got)
	}
}

// An attempt that takes too long is an application exception that may pass: the
// script is stopped where it stands, the next attempt has its own time.
func TestStepTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPack(t, `
def run(input):
    def inner():
        stuck()
        return act("inner done")
    def outer():
        step("inner", inner)
        return 7
    return {"v": step("outer", outer), "w": step("after", lambda: 1)}
`)
		p.Manifest.Steps = map[string]pack.Retry{
			"inner": {Attempts: 2, Deadline: time.Minute, Backoff: time.Millisecond}, "outer": {Attempts: 1, Deadline: time.Hour},
		}
		w, h, times := &world{}, &hosttest.Host{}, 0
		c := config(p, w, h)
		c.Modules = append(c.Modules, stuck(&times, 1))
		f := engine.Run(t.Context(), c)
		if string(f.Output) != `{"v":7,"w":1}` || times != 2 {
			t.Fatalf("%s %+v after %d times", f.Output, f.Exception, times)
		}
		var told []string
		for _, r := range h.Journal() {
			var data wire.ResultData
			if r.Kind == wire.RecordResult && json.Unmarshal(r.Data, &data) == nil && data.Error != nil {
				told = append(told, r.Key.Step+" "+data.Error.Code)
			}
		}
		if want := []string{"outer/inner step_timeout"}; !slices.Equal(told, want) {
			t.Errorf("failures %v, want %v", told, want)
		}
	})
}

// stuck() waits for the end of its time, so many times.
func stuck(times *int, most int) modules.Factory {
	return modules.Factory{Name: "stuck", New: func(rt modules.Runtime) modules.Module {
		return named{"stuck": starlark.NewBuiltin("stuck", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
			if *times++; *times > most {
				return starlark.None, nil
			}
			<-rt.Context().Done()
			return nil, context.Cause(rt.Context())
		})}
	}}
}

type named starlark.StringDict

func (n named) Names() starlark.StringDict { return starlark.StringDict(n) }
func (n named) Close() error               { return nil }

// A run that is only to learn what became of its submit does nothing new.
func TestSettleOnly(t *testing.T) {
	t.Parallel()
	found := func(modules.Scope) (map[string]string, bool, error) {
		return map[string]string{"account_no": "1"}, true, nil
	}
	absent := func(modules.Scope) (map[string]string, bool, error) { return nil, false, nil }
	script := "def run(input):\n  step('send', lambda: submit('ok'))\n  step('then', lambda: act('then'))\n  outside('x')\n"
	for _, test := range []struct {
		name   string
		cut    int
		settle func(modules.Scope) (map[string]string, bool, error)
		state  wire.RunState
	}{
		{"nothing is open", 1, nil, wire.Cancelled},
		{"found", 2, found, wire.Cancelled},
		{"absent", 2, absent, wire.Cancelled},
		{"nobody sees", 2, nobody, wire.InDoubt},
	} {
		w, h := &world{settle: test.settle}, &hosttest.Host{CutAfter: test.cut}
		p := newPack(t, script)
		start(t.Context(), p, w, h)
		c := config(p, w, h.Resume())
		c.Start.SettleOnly = true
		did := len(w.did)
		if f := engine.Run(t.Context(), c); f.State != test.state || len(w.did) != did || w.values > 0 {
			t.Errorf("%s: %s %+v, did %v", test.name, f.State, f.Exception, w.did[did:])
		}
	}
}

// What could not be written because the disk is full is no end of the run.
func TestFullDiskIsNoEnd(t *testing.T) {
	t.Parallel()
	full := fault.New(fault.Application, "disk_full", "no room").Retry()
	for _, last := range []int{1, 2, 3, 4} {
		h := &fullHost{Host: &hosttest.Host{}, left: last - 1, err: full}
		p := newPack(t, strings.Replace(submitting, "%s", "ok", 1))
		f := startOn(t.Context(), p, &world{settle: nobody}, h, nil)
		if code(f) != "disk_full" || f.State != wire.Failed {
			t.Errorf("record %d is refused: %s %+v", last, f.State, f.Exception)
		}
	}
}

// fullHost writes so many records and no more.
type fullHost struct {
	*hosttest.Host
	left int
	err  error
}

func (h *fullHost) Append(ctx context.Context, r wire.JournalRecord) (wire.JournalRecord, error) {
	if h.left--; h.left < 0 {
		return r, h.err
	}
	return h.Host.Append(ctx, r)
}

// The message of a divergence names both sides.
func TestDivergenceNamesBothSides(t *testing.T) {
	t.Parallel()
	w := &world{fail: map[string][]error{"go": {errors.New("cut")}}}
	h := &hosttest.Host{}
	start(t.Context(), newPack(t, "def run(input):\n  outside('x')\n  step('one', lambda: act('go'))\n"), w, h)
	f := start(t.Context(), newPack(t, "def run(input):\n  outside('y')\n"), w, h.Resume())
	sides := strings.Split(f.Exception.Message, "now does ")
	if code(f) != "diverged" || len(sides) != 2 || !strings.Contains(sides[0], "outside (call 1") || !strings.Contains(sides[1], "outside (call 1") ||
		strings.Contains(sides[0], strings.Fields(sides[1])[4]) {
		t.Errorf("%q does not tell the two apart", f.Exception.Message)
	}
}

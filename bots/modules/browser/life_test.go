//go:build linux

package browser

import (
	"syscall"
	"testing"

	"github.com/go-rod/rod/lib/proto"
	"go.starlark.net/starlark"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const cookiePage = `<title>x</title><p id="was"></p><script>was.textContent = document.cookie || 'none'; document.cookie = 'seen=1'</script>`

// attempt runs the function run of the script as one attempt of a step.
func (b *bench) attempt(n int, source string) (starlark.Value, error) {
	b.load(source)
	b.scope = &scope{path: "open account", attempt: n}
	defer b.scope.end()
	return starlark.Call(thread(), b.globals["run"], nil, nil)
}

// The session is kept for the run and over the first repair; a sign-in that the
// site has forgotten, something that may have been sent, or a second failure
// starts without it.
func TestSessionAndRepair(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": cookiePage})
	b := s.bind(t, plainManifest)
	const run = "def run(): return browser.open(\"core:/new\").text(\"#was\")"
	failure := func(code string) error { return fault.New(fault.Application, code, "x").Retry() }
	keepers := map[int]bool{}
	for i, step := range []struct {
		attempt int
		repair  error // before the attempt
		want    string
		keepers int // started so far
	}{
		{1, nil, "none", 1},
		{1, nil, "seen=1", 1},
		{2, failure("not_found"), "seen=1", 1},
		{2, failure(codeSignedOut), "none", 1},
		{2, failure("not_processed"), "none", 1},
		{3, failure("not_found"), "none", 2},
		{2, failure(codePageFrozen), "none", 3},
		{2, failure("not_found"), "seen=1", 3},
	} {
		if step.repair != nil {
			b.module.failed = true // as any function of a page that fails sets it
			b.module.Repair(t.Context(), step.repair, step.attempt-1)
		}
		got, err := b.attempt(step.attempt, run)
		if err != nil || got != starlark.String(step.want) {
			t.Fatalf("step %d: got %v %v, want %s\n%s", i, got, err, step.want, b.log)
		}
		if keepers[b.module.browser.process.pid] = true; len(keepers) != step.keepers {
			t.Errorf("step %d: %d browsers so far, want %d", i, len(keepers), step.keepers)
		}
	}
	b.load(run)
	b.scope = &scope{path: "open account", attempt: 4, records: []wire.JournalRecord{{Kind: wire.RecordPrepared}}}
	if got, err := starlark.Call(thread(), b.globals["run"], nil, nil); err != nil || got != starlark.String("none") {
		t.Errorf("after something may have been sent: %v %v", got, err)
	}
	b.scope.end()
}

// A browser or a page that dies ends its step with a fault that can be retried;
// the next attempt gets another.
func TestDeathAndNextAttempt(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": cookiePage})
	b := s.bind(t, plainManifest)
	deaths := []struct {
		code string
		next string // what the next attempt sees of the session
		kill func(*page)
	}{
		{"tab_crashed", "seen=1", func(p *page) { _ = proto.PageCrash{}.Call(p.tab.call(t.Context())) }},
		{"browser_died", "none", func(p *page) {
			_ = syscall.Kill(p.m.browser.process.main(t), syscall.SIGKILL)
			<-p.m.browser.ctx.Done()
		}},
	}
	for i, death := range deaths {
		b.load("def run(): return browser.open(\"core:/new\")\ndef read(page): return page.text(\"#was\")")
		b.scope = &scope{path: "open account", attempt: 2*i + 1}
		value, err := starlark.Call(thread(), b.globals["run"], nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		death.kill(value.(*page))
		_, err = starlark.Call(thread(), b.globals["read"], starlark.Tuple{value}, nil)
		if e := fault.Of(err); err == nil || e.Code != death.code || !e.Retryable {
			t.Errorf("got %v, want %s", err, death.code)
		}
		b.scope.end()
		b.module.Repair(t.Context(), err, 1)
		if got, err := b.attempt(2*i+2, "def run(): return browser.open(\"core:/new\").text(\"#was\")"); err != nil || got != starlark.String(death.next) {
			t.Errorf("after %s: %v %v", death.code, got, err)
		}
	}
}

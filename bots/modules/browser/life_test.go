//go:build linux

package browser

import (
	"syscall"
	"testing"

	"github.com/go-rod/rod/lib/proto"
	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

const cookiePage = `<title>x</title><p id="was"></p><script>was.textContent = document.cookie || 'none'; document.cookie = 'seen=1'</script>`

// attempt runs the function run of the script as one attempt of a step.
func (b *bench) attempt(n int, source string) (starlark.Value, error) {
	b.load(source)
	b.scope = &scope{path: "open account", attempt: n}
	defer b.scope.end()
	return starlark.Call(thread(), b.globals["run"], nil, nil)
}

// The session is kept for the run; a second attempt of a step starts without it.
func TestSessionAndFreshContext(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": cookiePage})
	b := s.bind(t, plainManifest)
	const run = "def run(): return browser.open(\"core:/new\").text(\"#was\")"
	for i, step := range []struct {
		attempt int
		want    string
	}{{1, "none"}, {1, "seen=1"}, {2, "none"}, {2, "seen=1"}, {3, "none"}} {
		got, err := b.attempt(step.attempt, run)
		if err != nil || got != starlark.String(step.want) {
			t.Fatalf("step %d: got %v %v, want %s\n%s", i, got, err, step.want, b.log)
		}
	}
}

// A browser or a page that dies ends its step with a fault that can be retried;
// the next attempt gets another.
func TestDeathAndNextAttempt(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": cookiePage})
	b := s.bind(t, plainManifest)
	deaths := []struct {
		code string
		kill func(*page)
	}{
		{"tab_crashed", func(p *page) { _ = proto.PageCrash{}.Call(p.tab.call(t.Context())) }},
		{"browser_died", func(p *page) {
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
		if got, err := b.attempt(2*i+2, "def run(): return browser.open(\"core:/new\").text(\"#was\")"); err != nil || got != starlark.String("none") {
			t.Errorf("after %s: %v %v", death.code, got, err)
		}
	}
}

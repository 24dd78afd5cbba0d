//go:build linux

package browser

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/soak"
)

// Ways in which a browser falls silent without dying.
func freezes() []freeze {
	stop := func(says string) func(testing.TB, *page) {
		return func(t testing.TB, p *page) { signal(t, member(t, p.m.browser.process.pid, says), syscall.SIGSTOP) }
	}
	return []freeze{
		{"browser", codeFrozen, "", func(t testing.TB, p *page) { signal(t, p.m.browser.process.main(t), syscall.SIGSTOP) }},
		{"network service", codeFrozen, "", stop("network.mojom.NetworkService")},
		{"GPU process", codePageFrozen, "", stop("--type=gpu-process")},
		{"renderers", codePageFrozen, "", func(t testing.TB, p *page) {
			for _, one := range family(t, p.m.browser.process.pid) {
				if strings.Contains(strings.Join(one.Args, " "), "--type=renderer") {
					signal(t, one.PID, syscall.SIGSTOP)
				}
			}
		}},
		{"endless loop", codePageFrozen, "setTimeout(() => { for (;;); }, 300)", nil},
		{"questions without end", codePageFrozen, "setTimeout(() => { for (;;) alert('有人吗'); }, 300)", nil},
	}
}

type freeze struct {
	name   string
	code   string
	script string                  // of the page
	do     func(testing.TB, *page) // to the browser that shows it
}

func signal(t testing.TB, pid int, what syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, what); err != nil {
		t.Error(err)
	}
}

const quickPage = `<!doctype html><title>x</title><p id="was">here</p>`

// A browser that is silent, not dead, is found, ended with all its processes, and
// the next attempt has another. The soak takes the limits of the product.
func TestFrozen(t *testing.T) {
	t.Parallel()
	p := pulse{beat: 100 * time.Millisecond, answer: 4 * time.Second, page: 5 * time.Second}
	if soak.Times(t, 0) > 0 {
		p = usualPulse()
	}
	for _, f := range freezes() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			found, fresh := thaw(t, f, p)
			soak.Report(t, map[string]any{"found_ms": found.Milliseconds(), "fresh_ms": fresh.Milliseconds()})
		})
	}
}

// thaw freezes a browser and says how long it took to be found, and from there
// to the page in another one.
func thaw(t *testing.T, f freeze, p pulse) (found, fresh time.Duration) {
	t.Helper()
	s := newSite(t, map[string]string{"/new": small(f.script), "/next": quickPage})
	b := s.bind(t, plainManifest)
	b.module.pulse = p
	const script = `
def show(): return browser.open("core:/next")
def use(page):
    page.goto("/new")
    page.fill({"客户姓名": "张三", "手机号": "13800000000"})
    page.wait(text = "never", timeout = 60)
def again(): return browser.open("core:/next").text("#was")
`
	b.load(script)
	b.scope = &scope{path: "open account", attempt: 1}
	shown, err := starlark.Call(thread(), b.globals["show"], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := family(t, b.module.browser.process.pid)
	if f.do != nil {
		f.do(t, shown.(*page))
	}
	began := time.Now()
	_, err = starlark.Call(thread(), b.globals["use"], starlark.Tuple{shown}, nil)
	found = time.Since(began)
	if e := fault.Of(err); err == nil || e.Code != f.code || !e.Retryable {
		t.Errorf("got %v, want %s\n%s", err, f.code, b.log)
	}
	b.scope.end()
	began = time.Now()
	b.module.Repair(t.Context(), err, 1)
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(before) })
	b.load(script)
	b.scope = &scope{path: "open account", attempt: 2}
	defer b.scope.end()
	if got, err := starlark.Call(thread(), b.globals["again"], nil, nil); err != nil || got != starlark.String("here") {
		t.Errorf("the next attempt: %v %v\n%s", got, err, b.log)
	}
	return found, time.Since(began)
}

// What is only slow stays: a page that computes for long, and a machine so busy
// that the browser gets little of it.
func TestSlowIsNotFrozen(t *testing.T) {
	t.Parallel()
	busy := `<p id="done"></p><script>setTimeout(() => { const end = Date.now() + 1500; while (Date.now() < end); done.textContent = 'done'; }, 200)</script>`
	s := newSite(t, map[string]string{"/new": quickPage + busy})
	b := s.bind(t, plainManifest)
	b.module.pulse = pulse{beat: 50 * time.Millisecond, answer: 4 * time.Second, page: 5 * time.Second}
	b.load("def run():\n    page = browser.open(\"core:/new\")\n    page.wait(text = \"done\", timeout = 60)\n    return page")
	b.scope = &scope{path: "open account"}
	defer b.scope.end()
	stop := make(chan struct{})
	shown := make(chan *page)
	go func() { // the browser gets a quarter of the time
		p := <-shown
		defer close(shown)
		pid := p.m.browser.process.main(t)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for what := syscall.SIGSTOP; ; {
			signal(t, pid, what)
			select {
			case <-tick.C:
			case <-stop:
				signal(t, pid, syscall.SIGCONT)
				return
			}
			if what == syscall.SIGSTOP {
				what = syscall.SIGCONT
			} else {
				what = syscall.SIGSTOP
			}
		}
	}()
	value, err := starlark.Call(thread(), b.globals["run"], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := value.(*page).m.browser
	shown <- value.(*page)
	b.load("def use(page):\n    for i in range(10):\n        page.goto(\"/new\")\n        page.text(\"#was\")")
	_, err = starlark.Call(thread(), b.globals["use"], starlark.Tuple{value}, nil)
	close(stop)
	<-shown
	if err != nil || browser.dead() {
		t.Errorf("slow, and %v (%v)\n%s", err, browser.dead(), b.log)
	}
}

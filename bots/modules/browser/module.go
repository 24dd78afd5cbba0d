package browser

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
)

// Factory makes the browser module of a run.
func Factory() modules.Factory {
	return modules.Factory{Name: "browser", New: func(rt modules.Runtime) modules.Module { return newModule(rt) }}
}

// module is the browser of one run. Its methods run on the script's goroutine.
type module struct {
	rt      modules.Runtime
	origins map[string]string // site → origin
	proxy   *guard.Proxy      // the run's, nil until a browser stands behind it
	browser *chromium

	context  proto.BrowserBrowserContextID // of the run, "" is the browser's own
	fresh    string                        // step and attempt the context was made for
	entered  map[string]bool               // logins done in this context
	shown    map[string]string             // text of a secret that was filled → its origin
	patience time.Duration                 // of every wait a script can give a time for
	deadline time.Duration                 // from press to request, 0: the guard's own
	pages    []*page                       // open ones, in the order they were opened
}

func newModule(rt modules.Runtime) *module {
	return &module{rt: rt, patience: 15 * time.Second, origins: maps.Clone(rt.Start().Origins), entered: map[string]bool{}, shown: map[string]string{}}
}

// Names gives the script browser and unsure.
func (m *module) Names() starlark.StringDict {
	return starlark.StringDict{
		"browser": &starlarkstruct.Module{Name: "browser", Members: starlark.StringDict{"open": starlark.NewBuiltin("browser.open", m.open)}},
		"unsure":  starlark.NewBuiltin("unsure", unsure),
	}
}

func unsure(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	reason := "the business system does not show it"
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "reason?", &reason); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Application, "unsure", "the probe cannot tell: %s", reason)
}

// Close ends the browser. It may be called twice.
func (m *module) Close() error { return m.stop() }

// stop ends the browser; another may follow.
func (m *module) stop() error {
	if m.browser == nil {
		return nil
	}
	err := m.browser.Close()
	m.browser, m.context, m.fresh = nil, "", ""
	clear(m.entered)
	return err
}

// ready makes sure that there is a living browser with the right context: a
// second attempt of a step gets a fresh one, with no session of the first.
func (m *module) ready(ctx context.Context, scope modules.Scope) error {
	if m.browser != nil && m.browser.dead() {
		m.rt.Logger().WarnContext(ctx, "browser is gone, starting another", "cause", context.Cause(m.browser.ctx))
		if err := m.stop(); err != nil {
			return fmt.Errorf("stop browser: %w", err)
		}
	}
	if m.browser == nil {
		if err := m.start(ctx); err != nil {
			return err
		}
		m.fresh = attempt(scope)
		return nil
	}
	if scope.Attempt() <= 1 || m.fresh == attempt(scope) {
		return nil
	}
	made, err := proto.TargetCreateBrowserContext{}.Call(caller{chromium: m.browser, ctx: ctx})
	if err != nil {
		return fmt.Errorf("make fresh browser context: %w", err)
	}
	m.context, m.fresh = made.BrowserContextID, attempt(scope)
	clear(m.entered)
	return nil
}

func attempt(scope modules.Scope) string { return fmt.Sprintf("%s#%d", scope.Path(), scope.Attempt()) }

// start starts a browser behind the run's proxy.
func (m *module) start(ctx context.Context) error {
	proxy, err := m.rt.Guard()
	if err != nil {
		return err
	}
	m.proxy = proxy
	start := m.rt.Start()
	l := launch{settings: start.Browser, scratch: start.Scratch, proxy: m.proxy.Address(), spki: m.proxy.SPKI(), pulse: usualPulse(), logger: m.rt.Logger()}
	began := time.Now()
	browser, err := startChromium(ctx, l, m.proxy.Admit)
	if err != nil {
		return err
	}
	m.browser = browser
	m.rt.Logger().DebugContext(ctx, "browser started", "ms", time.Since(began).Milliseconds())
	return nil
}

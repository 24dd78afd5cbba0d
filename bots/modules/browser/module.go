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
	due      repair                        // what must be new at the next open
	failed   bool                          // something failed here since the last repair
	pulse    pulse
	entered  map[string]bool   // logins done in this context
	shown    map[string]string // text of a secret that was filled → its origin
	patience time.Duration     // of every wait a script can give a time for
	deadline time.Duration     // from press to request, 0: the guard's own
	pages    []*page           // open ones, in the order they were opened
}

func newModule(rt modules.Runtime) *module {
	return &module{rt: rt, patience: 15 * time.Second, pulse: usualPulse(), origins: maps.Clone(rt.Start().Origins), entered: map[string]bool{}, shown: map[string]string{}}
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
	m.browser, m.context, m.fresh, m.due = nil, "", "", newPage
	clear(m.entered)
	return err
}

// ready makes sure that there is a living browser with the right context.
func (m *module) ready(ctx context.Context, scope modules.Scope) error {
	if m.browser != nil && (m.due == newBrowser || m.browser.dead()) {
		m.rt.Logger().WarnContext(ctx, "browser is gone or silent, starting another", "cause", context.Cause(m.browser.ctx))
		if err := m.stop(); err != nil {
			return fmt.Errorf("stop browser: %w", err)
		}
	}
	var err error
	switch {
	case m.browser == nil:
		err = m.start(ctx)
	case m.due == newSession, maybeSent(scope) && m.fresh != attempt(scope):
		if err = m.renew(ctx); err != nil {
			err = fmt.Errorf("make fresh browser context: %w", err)
		}
	}
	if err == nil {
		m.fresh = attempt(scope)
	}
	return err
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
	l := launch{settings: start.Browser, scratch: start.Scratch, proxy: m.proxy.Address(), spki: m.proxy.SPKI(), pulse: m.pulse, logger: m.rt.Logger()}
	began := time.Now()
	browser, err := startChromium(ctx, l, m.proxy.Admit)
	if err != nil {
		return err
	}
	m.browser = browser
	m.mark()
	m.rt.Logger().DebugContext(ctx, "browser started", "ms", time.Since(began).Milliseconds())
	return nil
}

package browser

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/internal/fault"
)

const (
	visitLimit   = 45 * time.Second       // of one navigation
	quietFor     = 300 * time.Millisecond // no request pending for so long
	stillFor     = 100                    // ms without a change of the document
	startsWithin = 50 * time.Millisecond  // of a press, the request that it makes
	quietLimit   = 10 * time.Second       // some pages poll for ever
)

// codeSlow is a site that takes too long.
const codeSlow = "site_slow"

// page is the script's page value.
type page struct {
	m      *module
	tab    *tab
	scope  modules.Scope
	path   string // of the step that opened it
	at     address
	values map[string]string // label → intended value, of all fills since the last submit
	filled []filled          // what was filled, to be looked at again before the submit

	login    string  // it was opened with, "" without or in the login itself
	document float64 // of the last visit
	pressed  float64 // that of the last click
	refused  int     // how many requests the proxy had refused when the page was opened
}

var _ starlark.HasAttrs = (*page)(nil)

func (p *page) String() string        { return "page(" + p.at.url() + ")" }
func (p *page) Type() string          { return "page" }
func (p *page) Freeze()               {}
func (p *page) Truth() starlark.Bool  { return true }
func (p *page) Hash() (uint32, error) { return 0, errors.New("a page cannot be a key") }

// method is one function of page or form.
type method func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

func (p *page) methods() map[string]method {
	return map[string]method{
		"goto": p.visitScript, "click": p.click, "text": p.text, "table": p.table,
		"count": p.count, "wait": p.wait, "form": p.form, "fill": p.fill,
	}
}

// AttrNames lists what a script can use.
func (p *page) AttrNames() []string {
	names := []string{"url"}
	for name := range p.methods() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Attr gives a method or url.
func (p *page) Attr(name string) (starlark.Value, error) {
	if name == "url" {
		if err := p.usable(p.path); err != nil {
			return nil, err
		}
		var at string
		err := p.tab.ask(p.m.rt.Context(), &at, "url")
		return starlark.String(p.m.redact(at)), err
	}
	run, ok := p.methods()[name]
	if !ok {
		return nil, nil
	}
	return p.builtin("page."+name, run), nil
}

// builtin makes a script function that first sees that its page may be used.
func (p *page) builtin(name string, run method) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		if err := p.usable(p.m.rt.Scope(thread).Path()); err != nil {
			return nil, err
		}
		value, err := run(thread, b, args, kwargs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, p.failed(err))
		}
		p.tellDialogs()
		return value, nil
	})
}

func (p *page) usable(path string) error {
	if !p.scope.Open() || path != p.path {
		return fault.New(fault.Usage, "page_outside_step", "a page of the step %q is used outside of it", p.path).
			WithHint("open a page in the step that needs it")
	}
	return nil
}

// visit navigates and waits until the page is there and quiet.
func (p *page) visit(ctx context.Context, to string) (landing, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, visitLimit, fault.New(fault.Unreachable, codeSlow, "the page was not there after %s", visitLimit).Retry())
	defer cancel()
	defer p.tab.act()()
	p.tab.leave()
	result, err := proto.PageNavigate{URL: to}.Call(p.tab.call(ctx))
	if err != nil {
		return landing{}, err
	}
	p.tab.leave()
	if err := p.arrived(result.ErrorText); err != nil {
		return landing{}, err
	}
	if err := p.quiet(ctx); err != nil {
		return landing{}, err
	}
	var state landing
	if err := p.tab.ask(ctx, &state, "ready", 0, 0); err != nil {
		return landing{}, err
	}
	if result.ErrorText != "" && (state.URL == blank || state.Document == p.document) {
		if p.m.forgotten(ctx) {
			return landing{}, sessionLost()
		}
		return landing{}, noPage(p.at)
	}
	p.document = state.Document
	return state, nil
}

// quiet waits until no request is pending and the document stands still. A page
// without any script is quiet once it is loaded.
func (p *page) quiet(ctx context.Context) error {
	var state landing
	if err := p.tab.ask(ctx, &state, "ready", 0, 0); err != nil {
		return err
	}
	if !state.Inert {
		return p.calm(ctx)
	}
	if err := p.silent(ctx, 0); err != nil {
		return err
	}
	return p.stands(ctx, state)
}

// calm is quiet for a page that may be about to give way to another one.
func (p *page) calm(ctx context.Context) error {
	if err := p.tab.ask(ctx, nil, "ready", 0, 0); err != nil {
		return err
	}
	if err := p.silent(ctx, quietFor); err != nil {
		return err
	}
	var state landing
	if err := p.tab.ask(ctx, &state, "ready", stillFor, 2000); err != nil {
		return err
	}
	return p.stands(ctx, state)
}

// silent waits until no request has been pending for d. Pages that poll for
// ever are left alone after a while.
func (p *page) silent(ctx context.Context, d time.Duration) error {
	bounded, cancel := context.WithTimeout(ctx, quietLimit)
	defer cancel()
	if err := p.m.proxy.Quiet(bounded, d); err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// stands ends a wait for quiet: it is the site's page, with nothing in front of it.
func (p *page) stands(ctx context.Context, state landing) error {
	if err := state.stopped(); err != nil {
		return err
	}
	_, err := p.closePopups(ctx)
	return err
}

// redact takes texts of secrets out of what a script reads.
func (m *module) redact(text string) string {
	for secret := range m.shown {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, "••••")
		}
	}
	return text
}

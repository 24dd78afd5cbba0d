package browser

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// open is browser.open.
func (m *module) open(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var text, login string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "address", &text, "login??", &login); err != nil {
		return nil, err
	}
	scope := m.rt.Scope(thread)
	if scope.Path() == "" {
		return nil, fault.New(fault.Usage, "page_outside_step", "browser.open stands outside any step").WithHint("call it inside step(name, fn)")
	}
	to, err := m.address(text)
	if err != nil {
		return nil, err
	}
	enter, err := m.login(login, to)
	if err != nil {
		return nil, err
	}
	ctx := m.rt.Context()
	if err := m.ready(ctx, scope); err != nil {
		return nil, err
	}
	p, err := m.page(ctx, scope, to)
	if err != nil {
		m.broke(err)
		return nil, err
	}
	if err := m.arrive(ctx, thread, p, to, login, enter); err != nil {
		return nil, p.failed(err)
	}
	p.login = login
	return p, nil
}

// address is where a page is to be opened.
type address struct {
	site   string // "" for a whole URL
	origin string
	path   string // with query
}

func (a address) url() string { return a.origin + a.path }

// address resolves "site:/path", or a whole URL of an unsigned pack.
func (m *module) address(text string) (address, error) {
	if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
		return m.whole(text)
	}
	site, path, found := strings.Cut(text, ":")
	if !found || !strings.HasPrefix(path, "/") {
		return address{}, fault.New(fault.Usage, "address", "%q is no address", text).WithHint("write \"site:/path\"")
	}
	if !slices.Contains(m.rt.Pack().Manifest.Capabilities.Sites, site) {
		return address{}, fault.New(fault.Refused, "capability_denied", "the pack may not open the site %s", site).
			WithHint("name it under capabilities.sites in pack.yaml")
	}
	bound, ok := m.origins[site]
	if !ok {
		return address{}, fault.New(fault.Usage, "site_unbound", "the site %s has no address on this device", site).
			WithHint("branchbot site set %s https://…", site)
	}
	origin, err := originOf(bound)
	return address{site: site, origin: origin, path: path}, err
}

func (m *module) whole(text string) (address, error) {
	if m.rt.Start().Trust != "unsigned" {
		return address{}, fault.New(fault.Refused, "url_denied", "this pack must name sites, not whole URLs").WithHint("write \"site:/path\" and bind the site on the device")
	}
	origin, err := originOf(text)
	if err != nil {
		return address{}, err
	}
	known := false
	for _, bound := range m.origins {
		other, err := originOf(bound)
		known = known || err == nil && other == origin
	}
	if !known {
		proxy, err := m.rt.Guard()
		if err != nil {
			return address{}, err
		}
		if err := proxy.Bind(origin, origin); err != nil {
			return address{}, err
		}
		m.origins[origin] = origin
	}
	return address{origin: origin, path: "/" + strings.TrimPrefix(text[min(len(text), len(origin)):], "/")}, nil
}

// originOf is scheme, host and port of a URL, the default port left out.
func originOf(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return "", fault.New(fault.Usage, "address", "%q is no http or https address", text)
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host, nil
}

// login looks the login and its function up.
func (m *module) login(name string, to address) (starlark.Callable, error) {
	if name == "" {
		return nil, nil
	}
	login, ok := m.rt.Pack().Manifest.Logins[name]
	if !ok {
		return nil, fault.New(fault.Usage, "login_unknown", "the manifest has no login %s", name).WithHint("add it under logins in pack.yaml")
	}
	if login.Site != to.site {
		return nil, fault.New(fault.Usage, "login_unknown", "the login %s is for the site %s, not %s", name, login.Site, to.site)
	}
	run, ok := m.rt.Global(login.Run)
	if !ok {
		return nil, fault.New(fault.Usage, "login_unknown", "the script has no function %s for the login %s", login.Run, name)
	}
	return run, nil
}

// page opens a tab for a step and closes it when the step ends.
func (m *module) page(ctx context.Context, scope modules.Scope, at address) (*page, error) {
	t, err := m.browser.open(ctx, m.context, m.popups())
	if err != nil {
		return nil, fmt.Errorf("open page: %w", err)
	}
	p := &page{m: m, tab: t, scope: scope, path: scope.Path(), at: at, values: map[string]string{}, refused: len(m.proxy.Refusals())}
	m.pages = append(m.pages, p)
	scope.OnEnd(func() { m.drop(p) })
	return p, nil
}

func (m *module) popups() []pack.Popup { return m.rt.Pack().Manifest.OnPopup }

func (m *module) drop(p *page) {
	p.tab.close(context.WithoutCancel(m.rt.Context()))
	m.pages = slices.DeleteFunc(m.pages, func(other *page) bool { return other == p })
}

// arrive takes the page to its address, through the login when the site asks.
func (m *module) arrive(ctx context.Context, thread *starlark.Thread, p *page, to address, login string, enter starlark.Callable) error {
	state, err := p.visit(ctx, to.url())
	if err != nil {
		return err
	}
	if enter == nil {
		return state.ok(to)
	}
	if m.entered[login] && !state.asksToSignIn(to) {
		return state.ok(to) // a page that is denied now is signed out
	}
	if err := m.enter(ctx, thread, p, to, login, enter); err != nil {
		m.due = max(m.due, newSession) // half a sign-in may be one
		return err
	}
	return nil
}

// enter signs in and goes on to the address.
func (m *module) enter(ctx context.Context, thread *starlark.Thread, p *page, to address, login string, enter starlark.Callable) error {
	if err := m.signIn(thread, p, login, enter); err != nil {
		return fmt.Errorf("login %s: %w", login, err)
	}
	state, err := p.after(ctx, to)
	switch {
	case err != nil:
		return err
	case state.asksToSignIn(to) && m.forgotten(ctx):
		return sessionLost()
	case state.asksToSignIn(to): // never tried again: it may lock the user out
		return fault.New(fault.Application, "login_failed", "the site still asks to sign in after the login %s", login).
			WithHint("check user and password: branchbot secret set")
	}
	m.entered[login] = true
	return state.ok(to)
}

// after is where a login led: sites lead on to the page that was asked for,
// else it is opened again.
func (p *page) after(ctx context.Context, to address) (landing, error) {
	var state landing
	if err := p.tab.ask(ctx, &state, "ready", 0, 0); err != nil {
		return state, err
	}
	if state.URL == to.url() && !state.Password {
		return state, nil
	}
	return p.visit(ctx, to.url())
}

// signIn calls the script's login function with a page of its own on the same tab.
func (m *module) signIn(thread *starlark.Thread, p *page, name string, enter starlark.Callable) error {
	end, err := m.proxy.BeginLogin(name)
	if err != nil {
		return err
	}
	defer end()
	login := m.rt.Pack().Manifest.Logins[name]
	own := &page{m: m, tab: p.tab, scope: p.scope, path: p.path, at: p.at, values: map[string]string{}, refused: p.refused}
	if _, err := m.rt.Call(thread, enter, own, secret{login.Secret}); err != nil {
		return err
	}
	ctx := m.rt.Context() // the request and what follows it must be through before the page is left
	if err := p.tab.ask(ctx, nil, "left", own.pressed, m.patience.Milliseconds()); err != nil {
		return err
	}
	return p.quiet(ctx)
}

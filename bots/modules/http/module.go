package http

import (
	"maps"
	nethttp "net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/bots/modules/submit"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

const (
	requestTime  = time.Minute // of one read, redirects included
	maxText      = 1 << 20     // bytes of a reply that a script may read
	maxRedirects = 10
)

// Factory makes the http module of a run.
func Factory() modules.Factory {
	return modules.Factory{Name: "http", New: func(rt modules.Runtime) modules.Module { return &module{rt: rt} }}
}

// module is the http builtin of one run.
type module struct {
	rt  modules.Runtime
	jar nethttp.CookieJar // of the run; nil until something is asked
}

var _ modules.Settler = (*module)(nil)

// Names gives the script http.
func (m *module) Names() starlark.StringDict {
	members := starlark.StringDict{
		"get":    starlark.NewBuiltin("http.get", m.read(nethttp.MethodGet)),
		"head":   starlark.NewBuiltin("http.head", m.read(nethttp.MethodHead)),
		"post":   starlark.NewBuiltin("http.post", m.post),
		"submit": starlark.NewBuiltin("http.submit", m.submit),
	}
	return starlark.StringDict{"http": &starlarkstruct.Module{Name: "http", Members: members}}
}

// Close has nothing to end: the run's guard holds the connections.
func (m *module) Close() error { return nil }

// Settle looks up what became of a submit that an earlier runner may have sent.
func (m *module) Settle(thread *starlark.Thread, scope modules.Scope) (map[string]string, bool, error) {
	return submit.Settle(m.rt, thread, scope, func() {})
}

// client is a client whose every request the run's guard judges; most bounds a reply.
func (m *module) client(proxy *guard.Proxy, most int64) (*nethttp.Client, error) {
	if m.jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		m.jar = jar
	}
	return &nethttp.Client{Transport: proxy.Road(most), Jar: m.jar, CheckRedirect: m.redirect}, nil
}

// redirect allows what leads to a site that the pack may ask. The secret of one
// origin never goes to another.
func (m *module) redirect(next *nethttp.Request, before []*nethttp.Request) error {
	if len(before) > maxRedirects {
		return fault.New(fault.Application, "redirect_loop", "the site redirects more than %d times", maxRedirects)
	}
	to := next.URL.Scheme + "://" + next.URL.Host
	allowed := slices.ContainsFunc(m.rt.Pack().Manifest.Capabilities.HTTP, func(site string) bool {
		return guard.SameOrigin(m.rt.Start().Origins[site], to)
	})
	if !allowed {
		return fault.New(fault.Refused, "capability_denied", "the site leads to %s, which the pack may not ask", next.URL.Host).
			WithHint("name its site under capabilities.http in pack.yaml")
	}
	if from := before[0].URL; !guard.SameOrigin(from.Scheme+"://"+from.Host, to) {
		next.Header.Del("Authorization")
	}
	return nil
}

// address is a place at a site that the pack may ask.
type address struct {
	site string
	url  *url.URL
}

// address resolves "site:/path".
func (m *module) address(text string) (address, error) {
	site, path, found := strings.Cut(text, ":")
	if !found || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return address{}, fault.New(fault.Usage, "address", "%q is no address", text).WithHint("write \"site:/path\"")
	}
	if err := m.rt.Pack().Manifest.Capabilities.Require(pack.HTTP, site); err != nil {
		return address{}, err
	}
	origin, bound := m.rt.Start().Origins[site]
	if !bound {
		return address{}, fault.New(fault.Usage, "site_unbound", "the site %s has no address on this device", site).
			WithHint("branchbot site set %s https://…", site)
	}
	whole, err := url.Parse(strings.TrimSuffix(origin, "/") + path)
	if err != nil || whole.Fragment != "" {
		return address{}, fault.New(fault.Usage, "address", "%q is no address", text).WithHint("write \"site:/path\"")
	}
	return address{site: site, url: whole}, nil
}

// siteOf is where a submit goes: the rule's site, or the only one.
func (m *module) siteOf(rule *pack.Submit) (string, error) {
	sites := m.rt.Pack().Manifest.Capabilities.HTTP
	switch {
	case rule.Request.Site != "":
		return rule.Request.Site, nil
	case len(sites) == 1:
		return sites[0], nil
	}
	return "", fault.New(fault.Usage, "site_unclear", "submit %s does not say to which of %v it goes", rule.Name, slices.Sorted(maps.Keys(m.rt.Start().Origins))).
		WithHint("request: {site: …, request: …}")
}

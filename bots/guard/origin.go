package guard

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"branchbot/internal/fault"
)

// target is an origin with the sites of the pack that are bound to it: a test
// server may stand for several.
type target struct {
	sites  []string
	scheme string
	host   string // as configured: it becomes the Host of requests
	dial   string // host:port
}

func (t target) origin() string { return origin(t.scheme, t.host) }

// is reports whether a rule for site ("" for any) means this origin.
func (t target) is(site string) bool { return site == "" || slices.Contains(t.sites, site) }

func (t target) String() string { return strings.Join(t.sites, ", ") + " (" + t.host + ")" }

// name is the host without port, as TLS knows it.
func (t target) name() string {
	host, _, err := net.SplitHostPort(t.dial)
	if err != nil {
		return t.host
	}
	return host
}

// origins are the pack's sites by canonical origin: the allow-list.
type origins map[string]target

func parseOrigins(bound map[string]string) (origins, error) {
	all := origins{}
	for _, site := range slices.Sorted(maps.Keys(bound)) {
		var err error
		if all, err = all.with(site, bound[site]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// with is the list and one more site.
func (o origins) with(site, text string) (origins, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" {
		return nil, fault.New(fault.Usage, "bad_origin", "site %s: %q is not an origin", site, text).
			WithHint("write it as https://host or https://host:port")
	}
	more := maps.Clone(o)
	to := target{scheme: u.Scheme, host: strings.ToLower(u.Host), dial: address(u.Scheme, u.Host)}
	to.sites = append(slices.Clone(o[to.origin()].sites), site)
	more[to.origin()] = to
	return more, nil
}

// origin is the canonical text of scheme and host, with the port always there.
func origin(scheme, host string) string { return scheme + "://" + address(scheme, host) }

func address(scheme, host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.Trim(host, "[]"), map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(strings.ToLower(name), port)
}

// SameOrigin reports whether two addresses are of one scheme, host and port.
func SameOrigin(a, b string) bool {
	first, errFirst := url.Parse(a)
	second, errSecond := url.Parse(b)
	return errFirst == nil && errSecond == nil && first.Host != "" &&
		origin(first.Scheme, first.Host) == origin(second.Scheme, second.Host)
}

package guard

import (
	"net"
	"net/url"
	"strings"

	"branchbot/internal/fault"
)

// target is one site of the pack with the origin it is bound to.
type target struct {
	site   string
	scheme string
	host   string // as configured: it becomes the Host of requests
	dial   string // host:port
}

func (t target) origin() string { return origin(t.scheme, t.host) }

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
	for site, text := range bound {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" {
			return nil, fault.New(fault.Usage, "bad_origin", "site %s: %q is not an origin", site, text).
				WithHint("write it as https://host or https://host:port")
		}
		to := target{site: site, scheme: u.Scheme, host: strings.ToLower(u.Host), dial: address(u.Scheme, u.Host)}
		if other, taken := all[to.origin()]; taken && other.site < site {
			continue // two names of one origin: the first by name
		}
		all[to.origin()] = to
	}
	return all, nil
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

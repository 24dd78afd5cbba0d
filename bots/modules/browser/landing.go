package browser

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"branchbot/internal/fault"
)

// landing is the document that a page shows.
type landing struct {
	URL      string  `json:"url"`
	Status   int     `json:"status"`
	Document float64 `json:"document"` // tells one from the next
	Password bool    `json:"password"`
	Guard    string  `json:"guard"` // code, when the page is the proxy's own answer
	Inert    bool    `json:"inert"` // loaded, and nothing in it could change it
}

// asksToSignIn says that the site shows a password field at another address.
func (l landing) asksToSignIn(to address) bool {
	u, err := url.Parse(l.URL)
	want, wantErr := url.Parse(to.url())
	return l.Password && err == nil && wantErr == nil && (u.Path != want.Path || u.Fragment != want.Fragment)
}

// denied says that the site wants to know who we are.
func (l landing) denied() bool {
	return l.Status == http.StatusUnauthorized || l.Status == http.StatusForbidden
}

func (l landing) ok(to address) error {
	switch {
	case l.Guard != "":
		return l.stopped()
	case l.denied():
		return fault.New(fault.Application, codeSignedOut, "the site answered %d at %s: not signed in, or not allowed to", l.Status, to.pathOnly()).
			WithHint("open the page with its login; see whether the user may open it").Retry()
	case l.Status == http.StatusServiceUnavailable:
		return fault.New(fault.Application, "site_maintenance", "the site is not in service (503 at %s)", to.pathOnly()).
			WithHint("the step is tried again; see when the site works again").Retry()
	case l.Status >= 500 || l.Status == http.StatusTooManyRequests:
		return fault.New(fault.Application, "site_error", "the site answered %d at %s", l.Status, to.pathOnly()).WithHint("see whether the site works; the step is tried again").Retry()
	case l.Status == http.StatusNotFound || l.Status == http.StatusGone:
		return fault.New(fault.Application, "page_missing", "the site has no page %s (%d)", to.pathOnly(), l.Status).WithHint("the address in the script or the site's binding is wrong")
	}
	return nil
}

// pathOnly leaves the query out: it may carry customer data.
func (a address) pathOnly() string {
	path, _, _ := strings.Cut(a.path, "?")
	return path
}

// arrived is the fault behind an error of the browser's network stack.
func (p *page) arrived(text string) error {
	name, _ := strings.CutPrefix(text, "net::")
	blocked := []string{"ERR_UNKNOWN_URL_SCHEME", "ERR_DISALLOWED_URL_SCHEME", "ERR_UNSAFE_PORT", "ERR_INVALID_URL", "ERR_UNSAFE_REDIRECT", "ERR_INVALID_REDIRECT"}
	switch {
	case text == "", name == "ERR_ABORTED": // a page that goes on by itself, or none: what shows tells
		return nil
	case name == "ERR_TOO_MANY_REDIRECTS":
		return restless()
	case strings.HasPrefix(name, "ERR_CERT_"), strings.HasPrefix(name, "ERR_SSL_"):
		return fault.New(fault.Unreachable, "site_certificate", "the certificate of %s does not hold (%s)", p.at.origin, name).
			WithHint("tell the people who run the site, or add the bank's own authority to the device")
	case strings.HasPrefix(name, "ERR_BLOCKED_BY_"), slices.Contains(blocked, name):
		return fault.New(fault.Application, "page_blocked", "the browser may not show this page of %s (%s)", p.at.origin, name).
			WithHint("the site sends something that no browser shows; see where the address leads")
	}
	return fault.New(fault.Unreachable, "site_unreachable", "%s cannot be reached (%s)", p.at.origin, name).
		WithHint("check the site's address (branchbot site list) and the network").Retry()
}

// restless is the fault of a page that leads on to the next without end.
func restless() error {
	return fault.New(fault.Application, "redirect_loop", "the page goes on to another without end").
		WithHint("the step is tried again with a new sign-in; see whether the site works").Retry()
}

// noPage is the fault of an address that shows nothing.
func noPage(at address) error {
	return fault.New(fault.Application, "no_page", "the site answered %s with a file or with nothing, not with a page", at.pathOnly()).
		WithHint("a file cannot be opened as a page; the address in the script is wrong")
}

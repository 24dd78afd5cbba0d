package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"branchbot/bots/guard"
	"branchbot/internal/fault"
)

// lost: a fault that a refused request explains: the page went to the proxy's
// own answer, or stands there without what it asked for.
func lost(code string) bool {
	return slices.Contains([]string{"page_changed", "not_found", "field_not_found", "fill_mismatch", "covered", "login_failed"}, code)
}

// because says whether a request of this page that the proxy refused is behind
// an error; the last one tells.
func (p *page) because(err error) error {
	refusals := p.m.proxy.Refusals()
	for _, r := range slices.Backward(refusals[min(p.refused, len(refusals)):]) {
		u, parseErr := url.Parse(r.URL)
		if parseErr != nil || u.Scheme+"://"+u.Host != p.at.origin || r.Method == http.MethodGet {
			continue
		}
		if fault.Code(err) == "submit_mismatch" {
			return err // its own refusal
		}
		if code := fault.Code(err); code == r.Code || lost(code) {
			return refusal(r, u.Path, err)
		}
		return fmt.Errorf("%w (the proxy refused %s %s: %s)", err, r.Method, u.Path, r.Code)
	}
	return err
}

func refusal(r guard.Refusal, path string, err error) error {
	if r.Code == "premature" {
		return fault.New(fault.Application, r.Code, "the page tried to submit (%s %s) before it was asked to; nothing was sent: %w", r.Method, path, err).
			WithHint("the form submits while it is filled; see which field does it")
	}
	return fault.New(fault.Refused, r.Code, "the proxy refused %s %s: %w", r.Method, path, err).
		WithHint("list the request in pack.yaml: harmless, before, or a login's own")
}

// stopped is the fault of a page that is the proxy's own answer.
func (l landing) stopped() error {
	switch l.Guard {
	case "":
		return nil
	case "site_unreachable", "site_certificate", "no_reply", "run_over":
		return fault.New(fault.Unreachable, l.Guard, "the site cannot be reached").
			WithHint("check the site's address (branchbot site list), its certificate and the network").Retry()
	}
	return fault.New(fault.Refused, l.Guard, "the proxy refused the page's request").
		WithHint("name the site under capabilities.sites, or list the request in pack.yaml")
}

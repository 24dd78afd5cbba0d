package browser

import (
	"context"
	"errors"
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
	return slices.Contains([]string{"page_changed", "not_found", "field_not_found", "fill_mismatch", "covered", codePopup, "login_failed"}, code)
}

// explained is an error of a page that was looked into.
type explained struct{ error }

// Unwrap gives the error itself.
func (e explained) Unwrap() error { return e.error }

// failed explains an error of this page and keeps what a person would have seen.
func (p *page) failed(err error) error {
	asked, known := p.tellDialogs(), explained{}
	if errors.As(err, &known) {
		return err
	}
	err = p.because(err)
	if lost(fault.Code(err)) {
		err = p.instead(err, asked)
	}
	p.m.broke(err)
	ctx, e := p.m.rt.Context(), fault.Of(err)
	if p.tab.trouble() == nil && ctx.Err() == nil && e.Class != fault.Usage && e.Code != "rejected" {
		p.picture(ctx, "failure")
	}
	return explained{err}
}

// instead says what the site shows instead of what was looked for: its sign-in,
// an error page, or a question that was dismissed.
func (p *page) instead(err, asked error) error {
	ctx, cancel := context.WithTimeout(p.m.rt.Context(), pictureLimit)
	defer cancel()
	var state landing
	if askErr := p.tab.ask(ctx, &state, "ready", 0, 0); askErr != nil {
		return err // the page itself is in trouble: the next look says so
	}
	shown := state.ok(address{origin: p.at.origin, path: p.at.path})
	switch {
	case shown == nil && p.login != "" && state.asksToSignIn(p.at):
		shown = fault.New(fault.Application, codeSignedOut, "the site asks to sign in again").
			WithHint("the step is tried again with a new sign-in").Retry()
	case shown == nil:
		shown = asked
	}
	if shown == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", shown, err)
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
	case "site_certificate":
		return fault.New(fault.Unreachable, l.Guard, "the site's certificate does not hold").
			WithHint("tell the people who run the site, or add the bank's own authority to the device")
	case "site_unreachable", "no_reply", "run_over":
		return fault.New(fault.Unreachable, l.Guard, "the site cannot be reached").
			WithHint("check the site's address (branchbot site list) and the network").Retry()
	}
	return fault.New(fault.Refused, l.Guard, "the proxy refused the page's request").
		WithHint("name the site under capabilities.sites, or list the request in pack.yaml")
}

package browser

import (
	"context"
	"slices"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

var _ modules.Repairer = (*module)(nil)

// codeSignedOut says that the site no longer knows the session.
const codeSignedOut = "signed_out"

// repair is what must be new at the next open, the lesser ones included. A page
// is new in every step.
type repair int

const (
	newPage    repair = iota
	newSession        // a context without cookies, and another sign-in
	newBrowser        // with a fresh profile
)

func (r repair) String() string { return [...]string{"page", "session", "browser"}[r] }

// needed is what a failure asks for.
func needed(failure error) repair {
	switch fault.Code(failure) {
	case codeFrozen, codePageFrozen:
		return newBrowser
	case codeSignedOut, "redirect_loop", wire.SubmitNotProcessed:
		return newSession
	}
	return newPage
}

// broke notes a failure in the browser.
func (m *module) broke(failure error) {
	m.failed, m.due = true, max(m.due, needed(failure))
}

// Repair makes ready for the next attempt of a step that failed in the browser.
// The pages of the attempt are closed already; from the second attempt on the
// next open starts another browser, whatever the failure was.
func (m *module) Repair(ctx context.Context, failure error, attempt int) {
	if m.browser == nil || !m.failed {
		return
	}
	if m.due = max(m.due, needed(failure)); attempt > 1 || m.browser.dead() {
		m.due = newBrowser
	}
	what, code := m.due.String(), fault.Code(failure)
	m.failed = false
	if m.due == newBrowser {
		if err := m.stop(); err != nil {
			m.rt.Logger().WarnContext(ctx, "browser did not stop cleanly", "error", err)
		}
	}
	m.rt.Logger().InfoContext(ctx, "repaired for the next attempt", "new", what, "code", code, "attempt", attempt)
	m.rt.Host().Observe(host.Event{Kind: "repair", Name: what, State: code, Attempt: attempt, At: time.Now().UTC()})
}

// renew gives the run a context of the browser without cookies, in place of the
// one before.
func (m *module) renew(ctx context.Context) error {
	call := caller{chromium: m.browser, ctx: ctx}
	made, err := proto.TargetCreateBrowserContext{}.Call(call)
	if err != nil {
		return err
	}
	if m.context != "" {
		old := proto.TargetDisposeBrowserContext{BrowserContextID: m.context}
		m.browser.process.pipe.post("", old.ProtoReq(), old)
	}
	m.context, m.due = made.BrowserContextID, newPage
	clear(m.entered)
	m.mark()
	return nil
}

// kept is a cookie that no site sees. Chromium starts a network service that has
// died anew, without a word and without the cookies of the session.
func kept() proto.NetworkCookieParam {
	return proto.NetworkCookieParam{Name: "kept", Value: "1", URL: "https://kept.branchbot.invalid/"}
}

// mark lets forgotten tell later whether the context has lost its cookies.
func (m *module) mark() {
	cookie := kept()
	set := proto.StorageSetCookies{Cookies: []*proto.NetworkCookieParam{&cookie}, BrowserContextID: m.context}
	m.browser.process.pipe.post("", set.ProtoReq(), set)
}

// sessionLost is the fault of a browser whose network service has died.
func sessionLost() error {
	return fault.New(fault.Application, codeSignedOut, "the browser has lost its cookies, and the sign-in with them").
		WithHint("the step is tried again with a new sign-in").Retry()
}

// forgotten reports that the browser, not the site, has lost the session.
func (m *module) forgotten(ctx context.Context) bool {
	got, err := proto.StorageGetCookies{BrowserContextID: m.context}.Call(caller{chromium: m.browser, ctx: ctx})
	return err == nil && !slices.ContainsFunc(got.Cookies, func(c *proto.NetworkCookie) bool { return c.Name == kept().Name })
}

// maybeSent: a request of this step may have reached the site in an earlier
// attempt, whose pages must have no part in this one.
func maybeSent(scope modules.Scope) bool {
	return slices.ContainsFunc(scope.History(), func(r wire.JournalRecord) bool { return r.Kind == wire.RecordPrepared })
}

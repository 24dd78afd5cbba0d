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

// Repair makes ready for the next attempt of a step that failed in the browser.
// The pages of the attempt are closed already, so the first repair has nothing
// else to do; unless the site has forgotten who we are: then the next open makes
// a context without its cookies and signs in again. From the second attempt on,
// or when something is silent, the next open starts another browser.
func (m *module) Repair(ctx context.Context, failure error, attempt int) {
	if m.browser == nil || !m.failed {
		return
	}
	m.failed = false
	what, code := "page", fault.Code(failure)
	switch {
	case attempt > 1, m.browser.dead(), code == codeFrozen, code == codePageFrozen:
		what = "browser"
		if err := m.stop(); err != nil {
			m.rt.Logger().WarnContext(ctx, "browser did not stop cleanly", "error", err)
		}
	case slices.Contains([]string{codeSignedOut, "redirect_loop", wire.SubmitNotProcessed}, code):
		what, m.stale = "session", true
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
	m.context, m.stale = made.BrowserContextID, false
	clear(m.entered)
	return nil
}

// maybeSent: a request of this step may have reached the site in an earlier
// attempt, whose pages must have no part in this one.
func maybeSent(scope modules.Scope) bool {
	return slices.ContainsFunc(scope.History(), func(r wire.JournalRecord) bool { return r.Kind == wire.RecordPrepared })
}

// Package guard stands between a run's browser and the network. Proxy ends TLS,
// knows the pack's origins and lets nothing leave that could change something,
// unless the manifest lists it and its time is now. Proxy.Submit takes one form
// submission from intent to outcome and sends it exactly once.
//
// What always holds:
//   - A submit's request is held until it has been compared with the intent, and
//     PREPARED is on disk before its first byte leaves.
//   - It is sent on one new connection in one round trip, by a client that never
//     repeats. Chromium repeats POSTs below every interface it has: an exact
//     repetition gets the recorded reply, anything else is refused.
//   - Without a reply that a rule of the manifest reads, nothing is assumed: the
//     doubt is journaled, then the business system is asked, or a person.
package guard

import (
	"context"

	"branchbot/internal/wire"
)

// Driver does the part of a submit that depends on how it is made: pressing a
// button in a page, or building a plain HTTP request. It is asked for one thing
// at a time: Press has returned before a Picture or Abandon that follows it.
type Driver interface {
	// Press makes the request happen. It returns once the press is done, not
	// when the reply is there. Its context ends when the press no longer matters.
	Press(ctx context.Context) error
	// Picture takes evidence; kind is before_submit or after_submit. Best effort.
	Picture(ctx context.Context, kind string)
	// Abandon makes sure that nothing more comes from the page: closes it.
	Abandon(ctx context.Context)
}

// Mortal is a Driver that can lose what it presses in. What only that could still
// do is not waited for any longer.
type Mortal interface {
	// Page ends when the page is gone; the cause says why.
	Page() context.Context
}

// page is that of a mortal driver; others have one that never ends.
func (s *submission) page() context.Context {
	if m, ok := s.driver.(Mortal); ok {
		return m.Page()
	}
	return context.Background()
}

// Recorder journals the records of one submit. modules.Scope is one.
type Recorder interface {
	Record(ctx context.Context, kind wire.RecordKind, data any) error
}

// Probe asks the business system whether a record with the key is there.
// found with a receipt; not found: provably absent; err: it cannot be seen.
type Probe func(ctx context.Context) (receipt map[string]string, found bool, err error)

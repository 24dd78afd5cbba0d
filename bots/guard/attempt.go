package guard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"branchbot/bots/pack"
)

// attempt is one open intent at the gate: it takes one request (and one per
// listed leg), gives every exact repetition the recorded reply, and refuses
// the rest. The machine works on what it takes.
type attempt struct {
	submit  *pack.Submit
	arrived chan *exchange // the next request to judge
	pages   chan *reply    // replies to the redirects that the browser follows; nil: not to be had

	mu        sync.Mutex
	open      bool // takes a new request
	closed    bool
	leg       *url.URL // where that must go; nil: the submit's own place
	exchanges []*exchange
	wanted    *url.URL // the GET that the browser will follow next
	befores   int      // writes of this intent under way
	touched   time.Time
}

func newAttempt(submit *pack.Submit) *attempt {
	return &attempt{submit: submit, arrived: make(chan *exchange, 1), pages: make(chan *reply, maxRedirects+1)}
}

// exchange is a request that was taken, and the one reply to it and to all its
// repetitions.
type exchange struct {
	id      string
	request *request
	done    chan struct{}
	reply   *reply
}

// answer hands the reply to everybody who waits for it, now or later.
func (e *exchange) answer(r *reply) {
	e.reply = r
	e.request.body = nil // it has left; repetitions are known by identity
	close(e.done)
}

// serve waits for the reply. A browser that goes away changes nothing.
func (e *exchange) serve(ctx context.Context, w http.ResponseWriter) {
	select {
	case <-e.done:
		e.reply.writeTo(w)
	case <-ctx.Done():
		page(http.StatusServiceUnavailable, codeOver).writeTo(w)
	}
}

func (a *attempt) arm(leg *url.URL) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open, a.leg, a.touched = true, leg, time.Now()
}

// disarm stops taking requests. It fails when one has come in between.
func (a *attempt) disarm() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	wasOpen := a.open
	a.open = false
	return wasOpen
}

func (a *attempt) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open, a.closed, a.wanted = false, true, nil
}

// take returns the exchange for a request: a new one, or the one it repeats.
func (a *attempt) take(q *request) (*exchange, string) {
	id := q.identity()
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.known(id); known != nil {
		return known, ""
	}
	switch {
	case a.open && (a.leg == nil || sameURL(a.leg, q.URL)):
		taken := &exchange{id: id, request: q, done: make(chan struct{})}
		a.open = false
		a.exchanges = append(a.exchanges, taken)
		a.arrived <- taken // one place, and only one can be open
		return taken, ""
	case len(a.exchanges) > 0:
		return nil, codeRepeated
	}
	return nil, codePremature
}

func (a *attempt) find(id string) *exchange {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known(id)
}

// known is called with the lock held.
func (a *attempt) known(id string) *exchange {
	for _, e := range a.exchanges {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (a *attempt) isLeg(q *request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leg != nil && !a.closed && !safe(q.Method) && sameURL(a.leg, q.URL)
}

// errNothingSent says that no request came by the deadline and none will be taken.
var errNothingSent = errors.New("no request was made")

// touch starts the time for a request anew.
func (a *attempt) touch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.touched = time.Now()
}

// wait returns the request that the press makes. Time runs from the last sign
// of life: the end of the press, or a listed write that goes ahead.
func (a *attempt) wait(ctx context.Context, deadline time.Duration) (*exchange, error) {
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	for {
		select {
		case taken := <-a.arrived:
			return taken, nil
		case <-ctx.Done():
			if a.disarm() {
				return nil, context.Cause(ctx)
			}
			return <-a.arrived, nil
		case <-timer.C:
			if left := a.idleLeft(deadline); left > 0 {
				timer.Reset(left)
				continue
			}
			if a.disarm() {
				return nil, errNothingSent
			}
			return <-a.arrived, nil
		}
	}
}

func (a *attempt) idleLeft(deadline time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.befores > 0 {
		return deadline
	}
	return deadline - time.Since(a.touched)
}

// beginBefore counts a listed write that goes ahead of the submit.
func (a *attempt) beginBefore() (end func(), open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.open {
		return nil, false
	}
	a.befores++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.befores--
		a.touched = time.Now()
	}), true
}

// want says which GET the browser is about to make because of a redirect.
func (a *attempt) want(next *url.URL) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.wanted = next
	}
}

// follows reports, once, that the request is that GET.
func (a *attempt) follows(q *request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wanted == nil || q.Method != http.MethodGet || !sameURL(a.wanted, q.URL) {
		return false
	}
	a.wanted = nil
	return true
}

// arrive hands a followed page to the machine. Nobody may be left to take it.
func (a *attempt) arrive(page *reply) {
	select {
	case a.pages <- page:
	default:
	}
}

func sameURL(a, b *url.URL) bool {
	return origin(a.Scheme, a.Host) == origin(b.Scheme, b.Host) &&
		"/"+strings.TrimPrefix(a.Path, "/") == "/"+strings.TrimPrefix(b.Path, "/") && a.Query().Encode() == b.Query().Encode()
}

package guard

import (
	"context"
	"sync"
	"time"
)

// pending counts the requests under way: for Quiet, and for Close to wait on.
type pending struct {
	mu        sync.Mutex
	begun     int // so far
	busy      int // without streams
	inside    int // with them
	closed    bool
	idleSince time.Time
	expected  time.Time     // when a page goes on by itself: until then it is not quiet
	changed   chan struct{} // closed and replaced at each change
}

func newPending() *pending {
	return &pending{idleSince: time.Now(), changed: make(chan struct{})}
}

// announce is called with the lock held.
func (p *pending) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// visit is one request's stay.
type visit struct {
	pending *pending
	counted bool // among the busy
}

// enter fails once the proxy is closing.
func (p *pending) enter() (*visit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	p.inside++
	return &visit{pending: p}, true
}

// begins says that it is a request to a site. What the browser asks of its
// maker, and is refused, is no sign of a busy page.
func (v *visit) begins() {
	v.pending.mu.Lock()
	defer v.pending.mu.Unlock()
	v.counted = true
	v.pending.begun++
	v.pending.busy++
	v.pending.announce()
}

// streams says that the request will stay open for as long as the page likes.
func (v *visit) streams() {
	v.pending.mu.Lock()
	defer v.pending.mu.Unlock()
	v.less()
}

func (v *visit) exit() {
	v.pending.mu.Lock()
	defer v.pending.mu.Unlock()
	v.pending.inside--
	v.less()
}

// less is called with the lock held.
func (v *visit) less() {
	if v.counted {
		v.counted = false
		v.pending.busy--
		v.pending.idleSince = time.Now()
	}
	v.pending.announce()
}

// expect says that a page will ask again by itself after that long.
func (p *pending) expect(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := time.Now().Add(after); at.After(p.expected) {
		p.expected = at
		p.announce()
	}
}

func (p *pending) quiet(ctx context.Context, d time.Duration) error {
	for {
		p.mu.Lock()
		idle := p.idleSince
		if p.expected.After(idle) {
			idle = p.expected
		}
		busy, left, changed := p.busy > 0, d-time.Since(idle), p.changed
		p.mu.Unlock()
		if !busy && left <= 0 {
			return nil
		}
		if busy {
			left = time.Hour // until something changes
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

func (p *pending) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun
}

// exceeds waits until more than count requests have begun.
func (p *pending) exceeds(ctx context.Context, count int) error {
	for {
		p.mu.Lock()
		begun, changed := p.begun, p.changed
		p.mu.Unlock()
		if begun > count {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// close lets nobody in any more and waits for those inside.
func (p *pending) close() {
	for {
		p.mu.Lock()
		p.closed = true
		inside, changed := p.inside, p.changed
		p.mu.Unlock()
		if inside == 0 {
			return
		}
		<-changed
	}
}

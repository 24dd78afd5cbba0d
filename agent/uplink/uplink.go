// Package uplink carries the outbox to head office, in order, each record until
// head office has it on disk, and evidence after the results. Losing the line
// loses nothing: it tries again, with growing and jittered pauses, for ever.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
)

const (
	notEnrolled = "not_enrolled"
	firstPause  = time.Second
)

// Options are the parts an Uplink works with.
type Options struct {
	Store    *store.Store
	Evidence *evidence.Keeper
	Proxy    string
	Interval time.Duration // between two looks when nothing happens
	Backoff  time.Duration // longest pause while head office is away
	CallTime time.Duration // after which a call is given up, a minute when zero
	Logger   *slog.Logger
	// Renew begins a new epoch of the database and takes the steps that follow.
	// The reason is one of outbox's.
	Renew func(ctx context.Context, reason string) error
}

// Uplink is the device's line to head office.
type Uplink struct {
	o      Options
	wake   chan struct{}
	online atomic.Bool
	// Of Run's goroutine alone:
	batch       int
	hold        time.Duration   // head office wants to be left alone for so long
	trouble     string          // code of the trouble that was logged last
	incarnation string          // of head office, as it answered last
	asked       map[string]bool // epochs of which it told how far it is
}

// New makes an uplink. Run starts it.
func New(o Options) *Uplink {
	return &Uplink{o: o, wake: make(chan struct{}, 1), batch: defaultBatch, asked: map[string]bool{}}
}

// Wake says that the outbox has something new.
func (u *Uplink) Wake() {
	select {
	case u.wake <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// Online reports whether head office answered the last time it was asked.
func (u *Uplink) Online() bool { return u.online.Load() }

// Run sends until ctx ends. A device that is not enrolled waits for that.
func (u *Uplink) Run(ctx context.Context) {
	first := min(firstPause, u.o.Backoff)
	pause := first
	for ctx.Err() == nil {
		err := u.remember(ctx, u.round(ctx))
		u.note(ctx, err)
		if err != nil && !fault.HasCode(err, notEnrolled) {
			// While it is away new results do not hurry us.
			u.rest(ctx, max(u.hold, pause/2+rand.N(pause/2+1)), nil)
			pause = min(2*pause, u.o.Backoff)
			continue
		}
		pause = first
		u.rest(ctx, u.hold, nil)
		if u.hold == 0 {
			u.rest(ctx, u.o.Interval, u.wake)
		}
	}
}

func (u *Uplink) rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// note remembers whether head office is there and logs when that changes.
func (u *Uplink) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	before := u.online.Swap(err == nil)
	trouble := fault.Code(err)
	switch {
	case err == nil && !before:
		u.o.Logger.Info("head office online")
	case err != nil && trouble != notEnrolled && trouble != u.trouble:
		u.o.Logger.Warn("head office away", "code", trouble, "error", err)
	}
	u.trouble = trouble
}

// round sends everything that waits; nil means head office has it all, or wants
// to be left alone for a while. Code not_enrolled: there is nobody to send to.
func (u *Uplink) round(ctx context.Context) error {
	u.hold = 0
	select {
	case <-u.wake: // what it tells of is sent now
	default:
	}
	var identity vault.Identity
	err := u.o.Store.View(func(tx *store.Tx) error {
		var err error
		identity, err = vault.GetIdentity(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	t, err := transport(identity.CA, &identity, u.o.Proxy)
	if err != nil {
		return err
	}
	defer t.CloseIdleConnections()
	l := &line{Uplink: u, client: newClient(t, u.o.CallTime), identity: identity}
	if err := l.keys(ctx); err != nil {
		return fmt.Errorf("ask for keys: %w", err)
	}
	if err := l.records(ctx); err != nil {
		return fmt.Errorf("send records: %w", err)
	}
	if u.hold > 0 {
		return nil
	}
	if err := l.evidence(ctx); err != nil {
		return fmt.Errorf("send evidence: %w", err)
	}
	return nil
}

// remember keeps, over restarts, that head office does not let this device in:
// people are shown it, and enrolling again is allowed from then on.
func (u *Uplink) remember(ctx context.Context, err error) error {
	told, isCoded := errors.AsType[*fault.Error](err) // as head office said it
	if !isCoded || !isRefusal(told.Code) {
		return err
	}
	kept := u.o.Store.Update(ctx, func(tx *store.Tx) error {
		return outbox.Refused(tx, outbox.Refusal{Code: told.Code, Message: told.Message, Hint: told.Hint})
	})
	return errors.Join(err, kept)
}

// isRefusal tells the answers that only enrolling again can end.
func isRefusal(code string) bool {
	return code == "device_halted" || code == "device_unknown" || code == "certificate_expired"
}

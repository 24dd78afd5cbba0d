// Package uplink carries the outbox to head office, in order, each record until
// head office has it on disk, and evidence after the results. Losing the line
// loses nothing: it tries again, with growing and jittered pauses, for ever.
package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const (
	notEnrolled  = "not_enrolled"
	firstPause   = time.Second
	defaultBatch = 100
	maxBatch     = 1000
	batchBytes   = 4 << 20
)

// Options are the parts an Uplink works with.
type Options struct {
	Store    *store.Store
	Evidence *evidence.Keeper
	Proxy    string
	Interval time.Duration // between two looks when nothing happens
	Backoff  time.Duration // longest pause while head office is away
	Logger   *slog.Logger
}

// Uplink is the device's line to head office.
type Uplink struct {
	o      Options
	wake   chan struct{}
	online atomic.Bool
	// Of Run's goroutine alone:
	batch   int
	hold    time.Duration // head office wants to be left alone for so long
	trouble string        // code of the trouble that was logged last
}

// New makes an uplink. Run starts it.
func New(o Options) *Uplink { return &Uplink{o: o, wake: make(chan struct{}, 1), batch: defaultBatch} }

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
		err := u.round(ctx)
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
	client := newClient(t)
	if err := u.records(ctx, client, identity); err != nil {
		return fmt.Errorf("send records: %w", err)
	}
	if u.hold > 0 {
		return nil
	}
	if err := u.evidence(ctx, client, identity); err != nil {
		return fmt.Errorf("send evidence: %w", err)
	}
	return nil
}

// records drains the outbox. The first call of a round goes out even when
// nothing waits: it tells whether head office is there and still the same.
func (u *Uplink) records(ctx context.Context, client *http.Client, identity vault.Identity) error {
	for {
		var waiting []json.RawMessage
		var first uint64
		err := u.o.Store.View(func(tx *store.Tx) error {
			var err error
			waiting, first, err = outbox.Next(tx, u.batch, batchBytes)
			return err
		})
		if fault.HasCode(err, "outbox_damaged") {
			err = u.mend(ctx, identity.Device, err)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("read outbox: %w", err)
		}
		more, err := u.send(ctx, client, identity, first, waiting)
		if fault.HasCode(err, codeTooLarge) && len(waiting) > 1 {
			u.batch = len(waiting) / 2
			continue
		}
		if err != nil || !more {
			return err
		}
	}
}

// mend replaces records that the disk has spoiled by alerts that name them: the
// line goes on, and the loss is told.
func (u *Uplink) mend(ctx context.Context, device string, damage error) error {
	u.o.Logger.Error("outbox damaged", "error", damage)
	return u.o.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := outbox.Mend(tx, device, wire.By{Kind: wire.BySystem})
		return err
	})
}

func (u *Uplink) send(ctx context.Context, client *http.Client, identity vault.Identity, first uint64, waiting []json.RawMessage) (more bool, err error) {
	request := wire.IngestRequest{Device: identity.Device, Epoch: u.o.Store.Epoch(), FirstSeq: first, Records: waiting}
	if request.Records == nil {
		request.Records = []json.RawMessage{}
	}
	var reply wire.IngestReply
	if err := post(ctx, client, identity.HeadOffice+"/v1/ingest", request, &reply); err != nil {
		return false, err
	}
	if reply.MaxBatch > 0 {
		u.batch = min(reply.MaxBatch, maxBatch)
	}
	if reply.Epoch != request.Epoch {
		return false, fault.New(fault.Application, codeReply, "head office answered for the epoch %q, not for ours", reply.Epoch)
	}
	u.hold = min(time.Duration(max(reply.RetryAfter, 0))*time.Second, u.o.Backoff)
	more, err = u.acknowledge(ctx, reply)
	return more && u.hold == 0, err
}

// acknowledge takes the answer in; more says that head office has gone forward
// and that something still waits. Once it went back, because it was restored, it
// is sent to again after a pause: two of them in turn must not make us spin.
func (u *Uplink) acknowledge(ctx context.Context, reply wire.IngestReply) (more bool, err error) {
	var before, after outbox.Status
	err = u.o.Store.Update(ctx, func(tx *store.Tx) error {
		if before, err = outbox.Read(tx); err != nil {
			return err
		}
		if err := outbox.Acknowledge(tx, reply.Incarnation, reply.NextSeq); err != nil {
			return err
		}
		after, err = outbox.Read(tx)
		return err
	})
	switch {
	case err != nil:
		return false, fmt.Errorf("acknowledge: %w", err)
	case after.AcknowledgedSeq < before.AcknowledgedSeq:
		return false, fault.New(fault.Application, "head_office_restored", "head office has only %d of the %d records it had; the rest is sent again",
			after.AcknowledgedSeq, before.AcknowledgedSeq).Retry()
	}
	return after.Waiting > 0 && after.AcknowledgedSeq > before.AcknowledgedSeq, nil
}

// evidence uploads what waits; results never wait for it.
func (u *Uplink) evidence(ctx context.Context, client *http.Client, identity vault.Identity) error {
	pending, err := u.o.Evidence.Pending(defaultBatch)
	if err != nil {
		return fmt.Errorf("list evidence: %w", err)
	}
	for _, item := range pending {
		digest := item.Ref.Digest
		content, err := u.o.Evidence.Get(ctx, digest)
		if fault.HasCode(err, "evidence_damaged") || fault.HasCode(err, "evidence_unknown") {
			u.o.Logger.Error("evidence lost", "digest", digest, "error", err)
			if err := u.o.Evidence.MarkLost(ctx, digest); err != nil {
				return fmt.Errorf("give up evidence: %w", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read evidence: %w", err)
		}
		address := identity.HeadOffice + "/v1/evidence/" + digest
		err = send(ctx, client, http.MethodPut, address, item.Ref.MediaType, content, nil)
		if fault.Of(err) != nil && fault.Of(err).Class != fault.Unreachable { // this one is refused; it holds up neither the others nor results
			u.o.Logger.Warn("evidence refused", "digest", digest, "code", fault.Code(err), "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := u.o.Evidence.MarkUploaded(ctx, digest); err != nil {
			return fmt.Errorf("mark evidence: %w", err)
		}
	}
	return nil
}

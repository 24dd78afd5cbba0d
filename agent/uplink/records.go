package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const (
	defaultBatch = 100
	maxBatch     = 1000
	batchBytes   = 4 << 20
)

// line is one round's connection to head office.
type line struct {
	*Uplink
	client   *http.Client
	identity vault.Identity
}

// parcel is one request's worth of the outbox.
type parcel struct {
	head    outbox.Head
	first   uint64
	records []json.RawMessage
	ask     bool // it only asks how far head office is in this epoch
}

// records drains the outbox. The first call of a round goes out even when nothing
// waits: it tells whether head office is there and still the same.
func (l *line) records(ctx context.Context) error {
	for {
		p, err := l.next(ctx)
		if err != nil {
			return err
		}
		more, err := l.send(ctx, p)
		if fault.HasCode(err, codeTooLarge) && len(p.records) > 1 {
			l.batch = len(p.records) / 2
			continue
		}
		if err != nil || !more {
			return err
		}
	}
}

// next takes out of line what is sent next. Before an epoch's first records in
// this process, and after head office became another one, it only asks.
func (l *line) next(ctx context.Context) (p parcel, err error) {
	for range 3 {
		err = l.o.Store.View(func(tx *store.Tx) error {
			if p.head, err = outbox.ReadHead(tx); err != nil || p.head.Stale != "" {
				return err
			}
			p.records, p.first, err = outbox.Next(tx, l.batch, batchBytes)
			return err
		})
		switch {
		case fault.HasCode(err, "outbox_damaged"):
			err = l.mend(ctx, err)
		case err == nil && p.head.Stale != "":
			err = l.renew(ctx, p.head.Stale)
		case err == nil && !l.asked[p.head.Epoch]:
			p.ask, p.records = true, nil
			return p, nil
		default:
			return p, err
		}
		if err != nil {
			return p, fmt.Errorf("read outbox: %w", err)
		}
	}
	return p, fmt.Errorf("read outbox: it stays as it is: %w", err)
}

// mend replaces records that the disk has spoiled by alerts that name them: the
// line goes on, and the loss is told.
func (l *line) mend(ctx context.Context, damage error) error {
	l.o.Logger.Error("outbox damaged", "error", damage)
	return l.o.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := outbox.Mend(tx, l.identity.Device, wire.By{Kind: wire.BySystem})
		return err
	})
}

// renew begins another epoch: the present one may not be sent any more.
func (l *line) renew(ctx context.Context, reason string) error {
	if l.o.Renew == nil {
		return fault.New(fault.Application, "outbox_"+reason, "the records of this device do not follow those at head office (%s)", reason).
			WithHint("start the agent: it begins a new epoch")
	}
	l.o.Logger.Warn("a new epoch begins", "reason", reason)
	return l.o.Renew(ctx, reason)
}

// send makes one request and takes its answer in; more says that something still
// waits and that head office has gone forward.
func (l *line) send(ctx context.Context, p parcel) (more bool, err error) {
	request := wire.IngestRequest{Device: l.identity.Device, Epoch: p.head.Epoch, FirstSeq: p.first, Oldest: p.head.Oldest, Records: p.records}
	if request.Records == nil {
		request.Records = []json.RawMessage{}
	}
	var reply wire.IngestReply
	l.o.Store.Point("uplink.sending")
	sent := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { l.o.Store.Point("uplink.sent") },
	})
	if err := post(sent, l.client, l.identity.HeadOffice+"/v1/ingest", request, &reply); err != nil {
		return false, err
	}
	l.o.Store.Point("uplink.answered")
	if reply.MaxBatch > 0 {
		l.batch = min(reply.MaxBatch, maxBatch)
	}
	if reply.Epoch != request.Epoch {
		return false, fault.New(fault.Application, codeReply, "head office answered for the epoch %q, not for ours", reply.Epoch)
	}
	l.hold = min(time.Duration(max(reply.RetryAfter, 0))*time.Second, l.o.Backoff)
	more, err = l.acknowledge(ctx, p, reply)
	return more && l.hold == 0, err
}

// acknowledge takes an answer in. Once head office went back, because it was
// restored, it is sent to again after a pause: two of them in turn must not make
// us spin.
func (l *line) acknowledge(ctx context.Context, p parcel, reply wire.IngestReply) (more bool, err error) {
	var before, after outbox.Status
	err = l.o.Store.Update(ctx, func(tx *store.Tx) error {
		if before, err = outbox.Read(tx); err != nil {
			return err
		}
		if err := noteGap(tx, p, reply); err != nil {
			return err
		}
		if err := outbox.Acknowledge(tx, reply); err != nil {
			return err
		}
		if before.Incarnation != "" && before.Incarnation != reply.Incarnation {
			if err := evidence.OfferAgain(tx); err != nil {
				return err
			}
		}
		after, err = outbox.Read(tx)
		return err
	})
	if err != nil {
		return l.outdated(ctx, err)
	}
	l.o.Store.Point("uplink.acknowledged")
	if reply.Incarnation != l.incarnation {
		l.incarnation = reply.Incarnation
		clear(l.asked)
	}
	l.asked[reply.Epoch] = true
	if after.Waiting > before.Waiting {
		return false, fault.New(fault.Application, "head_office_restored", "head office lacks %d records that it had; they are sent again",
			after.Waiting-before.Waiting).Retry()
	}
	return after.Waiting > 0 && (p.ask || after.Waiting < before.Waiting), nil
}

// noteGap remembers, for people, records that neither side has any more.
func noteGap(tx *store.Tx, p parcel, reply wire.IngestReply) error {
	if err := outbox.LetIn(tx); err != nil {
		return err
	}
	if reply.Incarnation == "" || !p.ask || p.head.Oldest < 2 || reply.NextSeq != p.head.Oldest || reply.Last != "" {
		return nil
	}
	return outbox.Note(tx, outbox.EventGap, fmt.Sprintf("records before %d of epoch %s", p.head.Oldest, p.head.Epoch))
}

// outdated takes a new epoch when head office has records of ours that we never
// made: an older copy of the disk came back, or a twin of this device is at work.
func (l *line) outdated(ctx context.Context, err error) (more bool, _ error) {
	reason := map[string]string{"outbox_ahead": outbox.ReasonAhead, "outbox_differs": outbox.ReasonDiffers}[fault.Code(err)]
	if reason == "" || l.o.Renew == nil {
		return false, fmt.Errorf("acknowledge: %w", err)
	}
	l.o.Logger.Error("head office has records that this device did not make", "code", fault.Code(err), "error", err)
	kept := l.o.Store.Update(ctx, func(tx *store.Tx) error { return outbox.Outdated(tx, reason) })
	return kept == nil, kept
}

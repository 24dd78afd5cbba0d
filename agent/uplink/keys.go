package uplink

import (
	"context"
	"fmt"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// keysMargin is asked for besides: since is a time by our clock, head office goes by its own.
const keysMargin = 48 * time.Hour

// maxKeyPages bounds what head office may answer.
const maxKeyPages = 100_000

// keys asks, while the store does not know what it sent, for the submits that
// head office has heard of. Once all are taken in, the look-ups end.
func (l *line) keys(ctx context.Context) error {
	var since time.Time
	var on bool
	err := l.o.Store.View(func(tx *store.Tx) error {
		since, on = journal.LookFirst(tx)
		return nil
	})
	if err != nil || !on {
		return err
	}
	request := wire.KeysRequest{Device: l.identity.Device, Since: since}
	if !since.IsZero() {
		request.Since = since.Add(-keysMargin)
	}
	taken := 0
	for range maxKeyPages {
		var reply wire.KeysReply
		if err := post(ctx, l.client, l.identity.HeadOffice+"/v1/keys", request, &reply); err != nil {
			return err
		}
		if err := l.adopt(ctx, reply.Runs); err != nil {
			return err
		}
		taken += len(reply.Runs)
		if !reply.More {
			l.o.Logger.Info("head office has returned the keys", "runs", taken)
			return l.endLookFirst(ctx, since)
		}
		if len(reply.Runs) == 0 || reply.Runs[len(reply.Runs)-1].Run <= request.After {
			break
		}
		request.After = reply.Runs[len(reply.Runs)-1].Run
	}
	return fault.New(fault.Application, codeReply, "head office's pages of keys do not go on")
}

func (l *line) adopt(ctx context.Context, runs []wire.Run) error {
	if len(runs) == 0 {
		return nil
	}
	return l.o.Store.Update(ctx, func(tx *store.Tx) error {
		for _, run := range runs {
			if err := journal.Adopt(tx, run); err != nil {
				return fmt.Errorf("take in %s: %w", run.Run, err)
			}
		}
		return nil
	})
}

// endLookFirst ends it unless the store was put together again in the meantime.
func (l *line) endLookFirst(ctx context.Context, since time.Time) error {
	return l.o.Store.Update(ctx, func(tx *store.Tx) error {
		if now, on := journal.LookFirst(tx); !on || !now.Equal(since) {
			return nil
		}
		return journal.EndLookFirst(tx)
	})
}

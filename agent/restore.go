package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// clockMargin is how far the clocks of device and head office may be apart when it
// is asked what it received since a time of ours.
const clockMargin = 24 * time.Hour

// renewed draws the consequences of a new epoch: the database was put together
// again, or head office knows more of the former epoch than we do. It runs in the
// transaction of the new epoch, before anything else can, so that after any crash
// there is all of it or the same work again. Open runs count as possibly sent; what
// waited for head office goes first, with an alert that names the loss; and every
// submit looks up first until head office has returned what it received since.
func renewed(tx *store.Tx, r store.Restored) error {
	if err := journal.Restore(tx); err != nil {
		return fmt.Errorf("restore journals: %w", err)
	}
	told := wire.EpochBegan{Reason: r.Reason, Lost: lost(r), Snapshot: r.SnapshotAt}
	if err := outbox.Restore(tx, r.FormerEpoch, told); err != nil {
		return fmt.Errorf("restore outbox: %w", err)
	}
	since, err := unknownSince(tx, r)
	if err != nil {
		return err
	}
	return journal.BeginLookFirst(tx, since)
}

// lost counts what is lost; what is torn may lack more, nobody can tell how much.
func lost(r store.Restored) map[string]uint64 {
	all := map[string]uint64{}
	for bucket, rows := range r.Lost {
		all[bucket] = rows
	}
	for _, bucket := range r.Torn {
		all[bucket+" (unknown)"]++
	}
	return all
}

// unknownSince tells from when on this database may lack what was sent: after the
// snapshot that filled its holes; on an older copy of a disk after the last answer
// of head office; else from the beginning.
func unknownSince(tx *store.Tx, r store.Restored) (since time.Time, err error) {
	switch {
	case r.SnapshotAt != nil:
		return r.SnapshotAt.Add(-clockMargin), nil
	case r.Reason == store.ReasonDamaged:
		return time.Time{}, nil
	}
	err = tx.Range(store.OutboxSent, store.Scan{}, func(_, value []byte) error {
		if at, err := time.Parse(time.RFC3339Nano, string(value)); err == nil && at.After(since) {
			since = at
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return since, fmt.Errorf("last answer of head office: %w", err)
	}
	if since.IsZero() {
		return since, nil
	}
	return since.Add(-clockMargin), nil
}

// tend scrubs the store and makes its snapshots until ctx ends.
func (a *Agent) tend(ctx context.Context) error {
	tick := time.NewTicker(store.TendEvery)
	defer tick.Stop()
	a.store.Tend(ctx, tick.C)
	return nil
}

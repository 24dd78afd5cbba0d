package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/disk"
)

// wipeBatch bounds how much one Wipe removes.
const wipeBatch = 1_000

// Wipe removes evidence that was uploaded, or lost, before the given time of
// store.Steady and tells how many; with unsent also what was never uploaded: on a device that
// has no head office. The bytes are overwritten before the file goes, and the file
// before its row: a crash leaves a row that the next Wipe removes.
func (k *Keeper) Wipe(ctx context.Context, before time.Time, unsent bool) (wiped int, err error) {
	var old []Entry
	err = k.store.View(func(tx *store.Tx) error {
		old, err = keptBefore(tx, before, unsent)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wipe evidence: %w", err)
	}
	for _, entry := range old {
		if err := k.remove(ctx, entry); err != nil {
			return wiped, fmt.Errorf("wipe evidence: %w", err)
		}
		wiped++
	}
	return wiped, nil
}

func keptBefore(tx *store.Tx, before time.Time, unsent bool) ([]Entry, error) {
	var old []Entry
	err := tx.Range(store.Evidence, store.Scan{}, func(_, value []byte) error {
		var entry Entry
		if json.Unmarshal(value, &entry) == nil && entry.over(before, unsent) {
			old = append(old, entry)
		}
		if len(old) == wipeBatch {
			return store.ErrStop
		}
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil
	}
	return old, err
}

// over reports whether the device need not keep the entry any longer.
func (e Entry) over(before time.Time, unsent bool) bool {
	switch {
	case e.Uploaded != nil:
		return e.Uploaded.Before(before)
	case e.Lost != nil:
		return e.Lost.Before(before)
	}
	return unsent && e.Kept.Before(before)
}

func (k *Keeper) remove(ctx context.Context, entry Entry) error {
	path, err := k.path(entry.Ref.Digest)
	if err != nil {
		return err
	}
	if err := disk.Remove(path); err != nil {
		return err
	}
	k.store.Point("evidence.wiped")
	return k.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Delete(store.EvidencePending, pendingKey(entry)); err != nil {
			return err
		}
		return tx.Delete(store.Evidence, rowKey(entry.Ref.Digest))
	})
}

package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"branchbot/agent/store"
)

func rowKey(digest string) []byte { return []byte(strings.TrimPrefix(digest, "sha256:")) }

func pendingKey(entry Entry) []byte {
	return append(store.TimeKey(entry.Due), rowKey(entry.Ref.Digest)...)
}

// index describes a new file and puts it in line for upload. Bytes that are
// known already keep their row, unless they had been lost.
func index(tx *store.Tx, entry Entry) error {
	known, err := store.GetJSON[Entry](tx, store.Evidence, rowKey(entry.Ref.Digest))
	if err == nil && known.Lost == nil {
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	if err := store.PutJSON(tx, store.Evidence, rowKey(entry.Ref.Digest), entry); err != nil {
		return err
	}
	return tx.Put(store.EvidencePending, pendingKey(entry), nil)
}

// Find returns the description of a digest. Error: store.ErrNotFound.
func (k *Keeper) Find(digest string) (entry Entry, err error) {
	err = k.store.View(func(tx *store.Tx) error {
		entry, err = store.GetJSON[Entry](tx, store.Evidence, rowKey(digest))
		return err
	})
	return entry, err
}

// Pending returns what is to be uploaded now, the oldest first. What head office
// refused (MarkRefused) comes again later: it hides nothing.
func (k *Keeper) Pending(limit int) (entries []Entry, err error) {
	err = k.store.View(func(tx *store.Tx) error {
		entries = nil
		return tx.Range(store.EvidencePending, store.Scan{}, func(key, _ []byte) error {
			if len(entries) == limit || store.ParseNumberKey(key) > uint64(max(0, tx.Steady().UnixNano())) {
				return store.ErrStop
			}
			entry, err := store.GetJSON[Entry](tx, store.Evidence, key[8:])
			if err == nil {
				entries = append(entries, entry)
			}
			return nil
		})
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil // what can be read is uploaded
	}
	return entries, err
}

// MarkUploaded notes that head office has the bytes on its disk. Twice is fine.
func (k *Keeper) MarkUploaded(ctx context.Context, digest string) error {
	return k.mark(ctx, digest, func(entry *Entry, now time.Time) {
		if entry.Uploaded == nil {
			entry.Uploaded = &now
		}
	})
}

// Pauses after a refusal: doubled each time, up to the longest.
const (
	firstPause   = time.Minute
	longestPause = 24 * time.Hour
)

// MarkRefused puts evidence that head office does not take behind what waits: it is
// tried again later, each time after a longer pause.
func (k *Keeper) MarkRefused(ctx context.Context, digest string) error {
	return k.store.Update(ctx, func(tx *store.Tx) error {
		entry, err := store.GetJSON[Entry](tx, store.Evidence, rowKey(digest))
		if err != nil {
			return fmt.Errorf("mark evidence: %w", err)
		}
		if err := tx.Delete(store.EvidencePending, pendingKey(entry)); err != nil {
			return err
		}
		pause := min(firstPause<<min(entry.Refused, 12), longestPause)
		entry.Refused, entry.Due = entry.Refused+1, tx.Steady().Add(pause)
		if err := store.PutJSON(tx, store.Evidence, rowKey(digest), entry); err != nil {
			return err
		}
		return tx.Put(store.EvidencePending, pendingKey(entry), nil)
	})
}

// MarkLost takes evidence out of line that Get cannot give any more (codes
// evidence_unknown, evidence_damaged): it must not hold up what stands behind it.
func (k *Keeper) MarkLost(ctx context.Context, digest string) error {
	return k.mark(ctx, digest, func(entry *Entry, now time.Time) { entry.Lost = &now })
}

// mark changes a row and takes it out of line.
func (k *Keeper) mark(ctx context.Context, digest string, change func(*Entry, time.Time)) error {
	return k.store.Update(ctx, func(tx *store.Tx) error {
		entry, err := store.GetJSON[Entry](tx, store.Evidence, rowKey(digest))
		if err != nil {
			return fmt.Errorf("mark evidence: %w", err)
		}
		change(&entry, tx.Steady())
		if err := store.PutJSON(tx, store.Evidence, rowKey(digest), entry); err != nil {
			return err
		}
		return tx.Delete(store.EvidencePending, pendingKey(entry))
	})
}

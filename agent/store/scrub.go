package store

import (
	"errors"
	"fmt"
)

// Place is where the scrubber stands. The zero value is the beginning.
type Place struct {
	bucket int
	after  []byte // key that was read last
}

// Scrubbed is what a part of the scrub saw.
type Scrubbed struct {
	Rows    int // read
	Damaged int // of them not what was written; they go into quarantine
	Round   bool
}

// Scrub reads up to limit rows behind from in one short transaction and opens each.
// It returns where to go on; after the last row Round is true and the next call
// begins again.
func (s *Store) Scrub(from Place, limit int) (next Place, seen Scrubbed, err error) {
	next = from
	err = s.View(func(tx *Tx) error {
		for seen.Rows < limit && !seen.Round {
			next, err = tx.scrub(next, limit, &seen)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return next, seen, err
}

// scrub reads on in one bucket. A page that cannot be read ends the bucket.
func (t *Tx) scrub(from Place, limit int, seen *Scrubbed) (Place, error) {
	bucket := Buckets()[from.bucket]
	next := from
	scan := Scan{}
	if from.after != nil {
		scan.From = append(from.after, 0)
	}
	list := t.rows(bucket, scan)
	for seen.Rows < limit {
		key, sealed, err := list.next()
		if err != nil && !errors.Is(err, ErrDamaged) {
			return next, fmt.Errorf("scrub %s: %w", bucket, err)
		}
		t.store.noteTorn(err)
		if err != nil || key == nil {
			next = Place{bucket: (from.bucket + 1) % len(Buckets())}
			seen.Round = next.bucket == 0
			return next, nil
		}
		seen.Rows++
		next.after = key
		if _, err := unseal(t.store.keys.rows, sealed, place(bucket, key)); err != nil {
			seen.Damaged++
			t.found(bucket, key, sealed, err)
		}
	}
	return next, nil
}

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"branchbot/internal/fault"
)

const (
	maxQuarantined = 1000     // rows whose bytes are kept; others are counted
	maxQuarantine  = 64 << 10 // bytes kept of one
	foundAhead     = 256      // damaged rows that may wait; one too many is found again
)

var quarantineKey = []byte("quarantine")

// quarantined is a row of QuarantineRows: what stood where damage was found.
type quarantined struct {
	Bucket Bucket    `json:"bucket"`
	Key    []byte    `json:"key"`
	Raw    []byte    `json:"raw"`  // as it stood there, cut to maxQuarantine
	Size   int       `json:"size"` // of all of it
	At     time.Time `json:"at"`
}

// Quarantine is what is known of damage in this database.
type Quarantine struct {
	Found    uint64            `json:"found"`             // damaged rows so far
	Mended   uint64            `json:"mended"`            // of them put right again: one bit had flipped
	ByBucket map[string]uint64 `json:"buckets,omitempty"` // rows in quarantine
	Last     time.Time         `json:"last,omitzero"`
	// Pages tells that pages of the file cannot be read: the next start puts the
	// database together again. "" while there is no such damage.
	Pages string `json:"pages,omitempty"`
}

// Quarantined tells what damage was found.
func (s *Store) Quarantined() (q Quarantine, err error) {
	err = s.View(func(tx *Tx) error {
		q, err = tx.quarantine()
		return err
	})
	if torn := s.torn.Load(); torn != nil {
		q.Pages = *torn
	}
	return q, err
}

// quarantine reads the counters, from zero when they are lost themselves.
func (t *Tx) quarantine() (Quarantine, error) {
	q, err := GetJSON[Quarantine](t, Meta, quarantineKey)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return Quarantine{}, nil
	}
	return q, err
}

// find is a damaged row as it was met.
type find struct {
	bucket   Bucket
	key, raw []byte
}

// found tells the keeper of quarantine what Get, Range or the scrubber met. It
// never waits: a row that finds no room here is met again.
func (t *Tx) found(bucket Bucket, key, sealed []byte, why error) {
	if errors.Is(why, errMarked) {
		return // it was moved already
	}
	select {
	case t.store.finds <- find{bucket: bucket, key: bytes.Clone(key), raw: bytes.Clone(sealed)}:
	default:
	}
}

// keepQuarantine moves damaged rows until the store closes.
func (s *Store) keepQuarantine() {
	for {
		select {
		case f := <-s.finds:
			if err := s.moveAway(f); err != nil && !errors.Is(err, ErrClosed) {
				s.o.Logger.Warn("a damaged row could not be put into quarantine", "bucket", f.bucket, "error", err)
			}
		case <-s.closing:
			return
		}
	}
}

// moveAway puts a damaged row right when one flipped bit is all its damage.
// Otherwise its bytes go into quarantine and a mark takes its place: reading it
// is ErrDamaged as before, until its part writes or deletes it. An empty place
// would be worse: a business key, for one, would look free.
func (s *Store) moveAway(f find) error {
	key, sealed := s.keys.unflip(f)
	var q Quarantine
	err := s.Update(context.Background(), func(tx *Tx) (err error) {
		if q, err = tx.quarantine(); err != nil {
			return err
		}
		at := place(f.bucket, f.key)
		if _, err := tx.Get(QuarantineRows, at); err == nil && !tx.stands(f) {
			return errUnchanged // met twice
		}
		q.count(f, tx.Now(), key != nil)
		if err := tx.moveAway(f, key, sealed, q.Found); err != nil {
			return err
		}
		return PutJSON(tx, Meta, quarantineKey, q)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		s.o.Logger.Error("damaged row", "bucket", f.bucket, "mended", key != nil, "found", q.Found)
	}
	return err
}

func (q *Quarantine) count(f find, at time.Time, mended bool) {
	q.Found++
	q.Last = at
	if mended {
		q.Mended++
		return
	}
	if q.ByBucket == nil {
		q.ByBucket = map[string]uint64{}
	}
	q.ByBucket[string(f.bucket)]++
}

// stands reports whether the damaged bytes are still in their place.
func (t *Tx) stands(f find) bool {
	return bytes.Equal(t.tx.Bucket([]byte(f.bucket)).Get(f.key), f.raw)
}

// moveAway changes what still stands there; a part may have mended it meanwhile.
func (t *Tx) moveAway(f find, key, sealed []byte, found uint64) (err error) {
	defer asDamage(&err)
	stands := t.stands(f)
	if key != nil {
		return t.putRight(f, key, sealed, stands)
	}
	if stands {
		err = t.putSealed(f.bucket, f.key, t.store.sealRow(t.tx, sealMark, f.bucket, f.key, nil))
	}
	if err != nil || found > maxQuarantined {
		return err
	}
	raw, err := json.Marshal(quarantined{Bucket: f.bucket, Key: f.key, Raw: cut(f.raw), Size: len(f.raw), At: t.Now()})
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return t.Put(QuarantineRows, place(f.bucket, f.key), raw)
}

// putRight writes the row as it was sealed, under its own key.
func (t *Tx) putRight(f find, key, sealed []byte, stands bool) error {
	if !stands {
		return nil
	}
	if bytes.Equal(key, f.key) {
		return t.putSealed(f.bucket, key, sealed)
	}
	if err := t.Delete(f.bucket, f.key); err != nil {
		return err
	}
	if there := t.tx.Bucket([]byte(f.bucket)).Get(key); there != nil {
		return nil // written anew meanwhile
	}
	return t.putSealed(f.bucket, key, sealed)
}

// maxUnflip is how large a row may be to try each of its bits.
const maxUnflip = 4 << 10

// unflip finds the one bit whose flip explains the damage, in the value or in the
// key; nil when it is not one bit. The seal proves that the find is right.
func (k *keys) unflip(f find) (key, sealed []byte) {
	if len(f.raw) > maxUnflip {
		return nil, nil
	}
	key, sealed = bytes.Clone(f.key), bytes.Clone(f.raw)
	for _, text := range [][]byte{key, sealed} {
		for bit := range len(text) * 8 {
			text[bit/8] ^= 1 << (bit % 8)
			if _, err := unseal(k.rows, sealed, place(f.bucket, key)); err == nil || errors.Is(err, errMarked) {
				return key, sealed
			}
			text[bit/8] ^= 1 << (bit % 8)
		}
	}
	return nil, nil
}

// noteTorn remembers damage in the pages of the file.
func (s *Store) noteTorn(err error) {
	if fault.HasCode(err, "store_unreadable") {
		text := err.Error()
		s.torn.Store(&text)
	}
}

func cut(raw []byte) []byte { return raw[:min(len(raw), maxQuarantine)] }

// splitPlace takes a place apart again: no bucket's name has a zero byte.
func splitPlace(at []byte) (Bucket, []byte) {
	bucket, key, _ := bytes.Cut(at, []byte{0})
	return Bucket(bucket), key
}

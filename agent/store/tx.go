package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Tx is a transaction. It is valid inside the function it was given to only, on
// that function's goroutine. The slices it returns are copies.
type Tx struct {
	store *Store
	tx    *bbolt.Tx
	undo  []change
}

// Now tells the time by the store's clock, in UTC.
func (t *Tx) Now() time.Time { return t.store.Now() }

// Epoch names this database, as this transaction sees it.
func (t *Tx) Epoch() string {
	if epoch, err := t.Get(Meta, epochKey); err == nil {
		return string(epoch)
	}
	return t.store.Epoch()
}

// Blind turns text that must not stand in a key (a customer's number) into 32
// bytes that only this device can compute, the same for the same parts.
func (t *Tx) Blind(parts ...string) []byte { return t.store.keys.blinded(parts...) }

// Get returns the value of a row. Errors: ErrNotFound, ErrDamaged.
func (t *Tx) Get(bucket Bucket, key []byte) (value []byte, err error) {
	defer asDamage(&err)
	sealed := t.tx.Bucket([]byte(bucket)).Get(key)
	if sealed == nil {
		return nil, fmt.Errorf("%s %q: %w", bucket, key, ErrNotFound)
	}
	value, err = unseal(t.store.keys.rows, sealed, place(bucket, key))
	if err != nil {
		t.found(bucket, key, sealed, err)
		return nil, &DamagedError{Bucket: bucket, Keys: [][]byte{bytes.Clone(key)}}
	}
	return value, nil
}

// Put writes a row, new or not.
func (t *Tx) Put(bucket Bucket, key, value []byte) (err error) {
	defer asDamage(&err)
	return t.putSealed(bucket, key, t.store.sealRow(t.tx, sealRow, bucket, key, value))
}

func (t *Tx) putSealed(bucket Bucket, key, sealed []byte) error {
	rows := t.tx.Bucket([]byte(bucket))
	t.remember(rows, bucket, key, sealed)
	if err := rows.Put(key, sealed); err != nil {
		return fmt.Errorf("write %s: %w", bucket, err)
	}
	return nil
}

// Delete removes a row. A row that is not there is no error.
func (t *Tx) Delete(bucket Bucket, key []byte) (err error) {
	defer asDamage(&err)
	rows := t.tx.Bucket([]byte(bucket))
	t.remember(rows, bucket, key, nil)
	if err := rows.Delete(key); err != nil {
		return fmt.Errorf("delete from %s: %w", bucket, err)
	}
	return nil
}

// Scan says which rows Range visits: those with Prefix, from the first key not
// below From (or, backwards, the last key not above From).
type Scan struct {
	Prefix  []byte
	From    []byte
	Reverse bool
}

// Range calls fn with each row of the scan in key order. It must not change the
// bucket. fn returns ErrStop to end early. Damaged rows are passed over and
// named in the *DamagedError that Range returns after all others were visited.
func (t *Tx) Range(bucket Bucket, scan Scan, fn func(key, value []byte) error) error {
	rows := t.rows(bucket, scan)
	damaged := &DamagedError{Bucket: bucket}
	for {
		key, sealed, err := rows.next()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		value, err := unseal(t.store.keys.rows, sealed, place(bucket, key))
		if err != nil {
			t.found(bucket, key, sealed, err)
			damaged.Keys = append(damaged.Keys, key)
			continue
		}
		if err := fn(key, value); errors.Is(err, ErrStop) {
			break
		} else if err != nil {
			return err
		}
	}
	if len(damaged.Keys) > 0 {
		return damaged
	}
	return nil
}

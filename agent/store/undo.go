package store

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// change is what a row was before and after a write of this Tx; nil for no row.
type change struct {
	bucket Bucket
	key    []byte
	before []byte
	after  []byte
}

// remember notes a row before it is written.
func (t *Tx) remember(rows *bbolt.Bucket, bucket Bucket, key, after []byte) {
	t.undo = append(t.undo, change{bucket: bucket, key: bytes.Clone(key), before: bytes.Clone(rows.Get(key)), after: after})
}

// redo writes the change once more.
func (c change) redo(rows *bbolt.Bucket) error {
	if c.after == nil {
		return rows.Delete(c.key)
	}
	return rows.Put(c.key, c.after)
}

// undoAll takes the Tx's writes back, the last first. Others share the
// transaction, so rolling it back would take theirs too.
func (t *Tx) undoAll() (err error) {
	defer asDamage(&err)
	for i := len(t.undo) - 1; i >= 0; i-- {
		c := t.undo[i]
		rows := t.tx.Bucket([]byte(c.bucket))
		if c.before == nil {
			err = rows.Delete(c.key)
		} else {
			err = rows.Put(c.key, c.before)
		}
		if err != nil {
			return err
		}
	}
	t.undo = nil
	return nil
}

package store

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// rows walks over one scan. Keys are copies; sealed values belong to the database.
type rows struct {
	cursor  *bbolt.Cursor
	scan    Scan
	started bool
}

func (t *Tx) rows(bucket Bucket, scan Scan) *rows {
	return &rows{cursor: t.tx.Bucket([]byte(bucket)).Cursor(), scan: scan}
}

// next returns a nil key after the last row.
func (r *rows) next() (key, sealed []byte, err error) {
	defer asDamage(&err)
	switch {
	case r.started && r.scan.Reverse:
		key, sealed = r.cursor.Prev()
	case r.started:
		key, sealed = r.cursor.Next()
	case r.scan.Reverse:
		key, sealed = r.last()
	default:
		key, sealed = r.first()
	}
	r.started = true
	if key == nil || !bytes.HasPrefix(key, r.scan.Prefix) {
		return nil, nil, nil
	}
	return bytes.Clone(key), sealed, nil
}

func (r *rows) first() (key, sealed []byte) {
	from := r.scan.Prefix
	if bytes.Compare(r.scan.From, from) > 0 {
		from = r.scan.From
	}
	return r.cursor.Seek(from)
}

func (r *rows) last() (key, sealed []byte) {
	from := r.scan.From
	if from == nil {
		from = after(r.scan.Prefix)
	}
	if from == nil {
		return r.cursor.Last()
	}
	key, sealed = r.cursor.Seek(from)
	if key == nil {
		return r.cursor.Last()
	}
	if r.scan.From == nil || bytes.Compare(key, from) > 0 {
		return r.cursor.Prev()
	}
	return key, sealed
}

// after returns the first key behind all keys with the prefix, nil for the end.
func after(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}

package store

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// The commit number of a row is bbolt's transaction number and a floor. It rises
// for ever, though bbolt begins again with each new file (compaction, salvage)
// and gives the number of a transaction that was cut short a second time. So a
// new file carries the highest number used before as its floor, and the first
// transaction after each opening raises the floor by one.
var floorKey = []byte("floor")

// commitNumber is the number of what tx writes.
func (s *Store) commitNumber(tx *bbolt.Tx) uint64 { return s.floor + uint64(tx.ID()) }

func (s *Store) sealRow(tx *bbolt.Tx, version byte, bucket Bucket, key, value []byte) []byte {
	return sealAt(s.keys.rows, version, s.commitNumber(tx), value, place(bucket, key))
}

// readFloor goes by the floor of the file, raised by one; write puts it there.
// Called after each opening of the file. A file of the first layout has none.
func (s *Store) readFloor(tx *Tx) error {
	value, err := tx.Get(Meta, floorKey)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("read floor of commits: %w", err)
	}
	s.floor, s.raised = ParseNumberKey(value)+1, false
	return nil
}

// raise writes the floor in the first transaction that writes anything.
func (s *Store) raise(tx *bbolt.Tx) ([]change, error) {
	if s.raised {
		return nil, nil
	}
	t := &Tx{store: s, tx: tx}
	err := t.Put(Meta, floorKey, NumberKey(s.floor))
	s.raised = err == nil
	return t.undo, err
}

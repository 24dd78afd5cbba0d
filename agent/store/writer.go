package store

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// maxBatch bounds how many calls share one transaction.
const maxBatch = 128

// call is one Update that waits for the disk.
type call struct {
	fn   func(*Tx) error
	done chan error
}

// Update runs fn in a transaction and returns after it is on the disk. Calls
// that wait at the same time share one transaction and one fsync; an error of
// one undoes that one only. Therefore fn may run more than once: it may change
// the Tx and variables that it sets anew each time, nothing else. fn must not
// call Update. Once fn may have begun, Update waits for its end whatever ctx says.
// An error of the disk means: not promised, though it may be there.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c := &call{fn: fn, done: make(chan error, 1)}
	select {
	case s.calls <- c:
		return <-c.done
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// View runs fn on a snapshot. Keep it short: see the package comment.
func (s *Store) View(fn func(*Tx) error) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	return s.db.View(func(tx *bbolt.Tx) error { return fn(&Tx{store: s, tx: tx}) })
}

// write is the one goroutine that changes the file.
func (s *Store) write() {
	for {
		select {
		case first := <-s.calls:
			s.commit(s.waiting(first))
		case <-s.closing:
			return
		}
	}
}

// waiting gathers the calls that stand in line right now.
func (s *Store) waiting(first *call) []*call {
	batch := []*call{first}
	for len(batch) < maxBatch {
		select {
		case next := <-s.calls:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// commit tries the batch as one transaction and, if that fails, each call alone.
func (s *Store) commit(batch []*call) {
	err := s.transact(batch)
	if err != nil && len(batch) > 1 {
		for _, c := range batch {
			s.commit([]*call{c})
		}
		return
	}
	for _, c := range batch {
		c.done <- err
	}
}

func (s *Store) transact(batch []*call) (err error) {
	defer asDamage(&err)
	s.point("store.begin")
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range batch {
			if err := c.fn(&Tx{store: s, tx: tx}); err != nil {
				return err
			}
		}
		s.point("store.before_commit")
		return nil
	})
	if err != nil {
		return diskError(fmt.Errorf("%w", err))
	}
	s.point("store.committed")
	return nil
}

package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// maxBatch bounds how many calls share one transaction.
const maxBatch = 128

// call is one Update that waits for the disk.
type call struct {
	fn   func(*Tx) error
	err  error // what fn said
	done chan error
}

// panicked carries a panic of fn from the writer to the goroutine that called.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// errUnchanged ends a transaction that wrote nothing: no fsync is needed.
var errUnchanged = errors.New("nothing was written")

// Update runs fn once in a transaction and returns after it is on the disk.
// Calls that wait at the same time share one transaction and one fsync; an error
// of fn undoes what this fn wrote and nothing else. fn must not call Update. Once
// fn may have begun, Update waits for the end whatever ctx says. An error of the
// disk (disk_full and others) means: not promised, though it may be there.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c := &call{fn: fn, done: make(chan error, 1)}
	select {
	case s.calls <- c:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := <-c.done
	if p, isPanic := errors.AsType[panicked](err); isPanic {
		panic(p.value)
	}
	return err
}

// View runs fn on a snapshot. Keep it short: see the package comment. fn must not
// call View or Update: a write that grows the file could wait between the two.
func (s *Store) View(fn func(*Tx) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // see asDamage
	err := s.db.View(func(tx *bbolt.Tx) error { return fn(&Tx{store: s, tx: tx}) })
	s.noteTorn(err)
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return s.failed // the file could not be opened again
	}
	return err
}

// write is the one goroutine that changes the file.
func (s *Store) write() {
	debug.SetPanicOnFault(true) // see asDamage
	for {
		select {
		case first := <-s.calls:
			s.commit(s.waiting(first))
		case wanted := <-s.compacts:
			if first := s.compact(wanted); first != nil {
				s.commit(s.waiting(first))
			}
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

// commit answers every call: what its fn said, once everything is on the disk.
// When the disk refuses, nobody is told anything that may rest on what was lost.
func (s *Store) commit(batch []*call) {
	err := s.transact(batch)
	for _, c := range batch {
		if err != nil {
			c.err = err
		}
		c.done <- c.err
	}
}

// transact puts a batch on the disk. On a full one it gives the reserve up and
// writes what the calls wrote a second time; the calls themselves run once.
func (s *Store) transact(batch []*call) error {
	if err := s.usable(); err != nil {
		return err
	}
	s.point("store.begin")
	var written []change
	err := s.change(func(tx *bbolt.Tx) (err error) {
		written, err = s.runAll(tx, batch)
		return err
	})
	if isFull(err) && s.failed == nil && s.giveUp() {
		s.point("store.reserve_given")
		err = s.change(func(tx *bbolt.Tx) error { return s.again(tx, written) })
	}
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		s.raised = false
		s.noteTorn(err)
		return diskError(fmt.Errorf("write database: %w", err))
	}
	s.point("store.committed")
	return nil
}

// runAll runs every call and tells what they wrote, in order.
func (s *Store) runAll(tx *bbolt.Tx, batch []*call) (written []change, err error) {
	for _, c := range batch {
		t := &Tx{store: s, tx: tx}
		if c.err = t.run(c.fn); c.err != nil {
			if err := t.undoAll(); err != nil {
				return nil, err
			}
		}
		written = append(written, t.undo...)
	}
	if len(written) == 0 {
		return nil, errUnchanged
	}
	raised, err := s.raise(tx)
	s.point("store.before_commit")
	return append(written, raised...), err
}

// again writes what a transaction that was rolled back had written.
func (s *Store) again(tx *bbolt.Tx, written []change) error {
	for _, c := range written {
		if err := c.redo(tx.Bucket([]byte(c.bucket))); err != nil {
			return err
		}
	}
	s.point("store.before_commit")
	return nil
}

func (t *Tx) run(fn func(*Tx) error) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = panicked{what}
		}
	}()
	return fn(t)
}

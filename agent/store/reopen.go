package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// retryAfter is how long a disk that failed is left alone.
const retryAfter = 5 * time.Second

// trouble remembers when the file was last opened again.
type trouble struct {
	before bool
	at     time.Time // monotonic
}

// change runs fn in a transaction. When the disk fails other than by being full,
// or when the new tree can be seen although its last fsync failed, the system's
// memory of the file may differ from the disk for good, and bbolt would write over
// pages that the disk still needs: the file is opened again from the disk first.
func (s *Store) change(fn func(*bbolt.Tx) error) (err error) {
	defer asDamage(&err)
	s.db.MaxSize = s.maxSize()
	id := 0
	var refused error // by fn: the disk has no part in it
	err = s.update(func(tx *bbolt.Tx) error {
		id = tx.ID()
		refused = fn(tx)
		return refused
	})
	if err == nil || refused != nil || isFull(err) && !s.shows(id) {
		return err
	}
	s.o.Logger.Error("the disk failed under the database", "error", err)
	s.gate.Lock()
	defer s.gate.Unlock()
	s.failed = diskFailed(err)
	s.mend()
	return diskFailed(err)
}

// update is bbolt's Update but for a panic over a damaged page: bbolt would then
// walk all pages in a goroutine of its own, where one more panic ends the process.
func (s *Store) update(fn func(*bbolt.Tx) error) error {
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// shows reports whether readers see the transaction id, or cannot be asked.
func (s *Store) shows(id int) bool {
	seen := id
	err := s.db.View(func(tx *bbolt.Tx) error {
		seen = tx.ID()
		return nil
	})
	return err != nil || seen >= id
}

// usable says why nothing can be written now, after it tried, from time to time,
// to open the file again.
func (s *Store) usable() error {
	if s.failed == nil {
		return nil
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	s.mend()
	return s.failed
}

// mend opens the file again from the disk. Called with the gate locked.
func (s *Store) mend() {
	if s.trouble.before && time.Since(s.trouble.at) < retryAfter {
		return
	}
	s.trouble = trouble{before: true, at: time.Now()}
	if err := s.reopen(func() error { return nil }); err != nil {
		s.failed = diskFailed(err)
		s.o.Logger.Error("the database cannot be used", "error", err)
		return
	}
	s.failed = nil
	s.o.Logger.Warn("the database was opened again from the disk")
}

// reopen closes the file, calls between and opens what is there then. What the
// system remembers of the file is dropped: it is read from the disk. The folder's
// lock is kept. Called with the gate locked, from the writer's goroutine.
func (s *Store) reopen(between func() error) error {
	path := filepath.Join(s.o.Dir, FileName)
	err := s.db.Close()
	forget(path)
	err = errors.Join(err, between())
	db, openErr := openFile(s.o)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	s.db = db
	return errors.Join(err, s.recognise())
}

func forget(path string) {
	file, err := os.Open(path)
	if err != nil {
		return // openFile says why
	}
	disk.Forget(file)
	_ = file.Close()
}

// recognise checks that the file is still this database.
func (s *Store) recognise() (err error) {
	defer asDamage(&err)
	return s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(Meta)) == nil {
			return unreadable(errors.New("its tables are gone"))
		}
		t := &Tx{store: s, tx: tx}
		if err := s.readFloor(t); err != nil {
			return err
		}
		epoch, err := t.Get(Meta, epochKey)
		if err == nil && string(epoch) != s.Epoch() {
			err = unreadable(fmt.Errorf("it has the epoch %s, not %s", epoch, s.Epoch()))
		}
		return err
	})
}

// diskFailed is what callers get while nothing can be promised.
func diskFailed(err error) error {
	if fault.HasCode(err, "disk_failed") {
		return err
	}
	return fault.New(fault.Application, "disk_failed", "the disk does not keep what is written: %w", err).
		WithHint("check the drive of the data folder and its cables; branchbot goes on by itself once it can write").Retry()
}

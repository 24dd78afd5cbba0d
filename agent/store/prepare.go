package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
)

// layout is the version of what buckets.go lists.
const layout = "1"

// makeSure loads the key and sees to it that there is a file. It runs under the
// folder's lock, so only one process ever makes a key.
func (s *Store) makeSure() error {
	info, err := os.Stat(filepath.Join(s.o.Dir, FileName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	isThere := err == nil && info.Size() > 0
	master, err := loadKey(filepath.Join(s.o.Dir, KeyFileName), !isThere && len(s.snapshots()) == 0)
	if err != nil {
		return err
	}
	if s.keys, err = newKeys(master); err != nil {
		return err
	}
	s.point("store.key_ready")
	switch {
	case isThere:
		return nil
	case s.newestSnapshot() != nil:
		return s.rebuild(errors.New("the database file is gone"))
	}
	return s.create()
}

// prepare finds out who this database is. Code store_unreadable when it must be
// put together again first.
func (s *Store) prepare() (err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return s.identify(&Tx{store: s, tx: tx}) })
	if err != nil {
		return err
	}
	if err := s.makeBuckets(); err != nil {
		return err
	}
	if err := errors.Join(s.settleRestored(), s.resume()); err != nil {
		return err
	}
	s.copied.change, err = s.lastChange()
	return err
}

// makeBuckets makes those that are missing: all in a new file, the new ones
// after an update of branchbot.
func (s *Store) makeBuckets() error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		made := 0
		for _, bucket := range Buckets() {
			if tx.Bucket([]byte(bucket)) != nil {
				continue
			}
			if _, err := tx.CreateBucket([]byte(bucket)); err != nil {
				return fmt.Errorf("make bucket %s: %w", bucket, err)
			}
			made++
		}
		if made == 0 {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return diskError(err)
}

// identify reads the epoch, which also proves the key.
func (s *Store) identify(tx *Tx) (err error) {
	defer asDamage(&err)
	if tx.tx.Bucket([]byte(Meta)) == nil {
		return unreadable(errors.New("it has no table of its own data"))
	}
	if err := tx.checkNames(); err != nil {
		return err
	}
	if err := s.readFloor(tx); err != nil {
		return s.lockedOrDamaged(tx, err)
	}
	epoch, err := tx.Get(Meta, epochKey)
	if err != nil {
		return s.lockedOrDamaged(tx, err)
	}
	found, err := tx.Get(Meta, layoutKey)
	if err != nil {
		return s.lockedOrDamaged(tx, err)
	}
	if string(found) != layout {
		return newerFault(found)
	}
	text := string(epoch)
	s.epoch.Store(&text)
	return nil
}

// lockedOrDamaged tells a wrong key from damage: with the right one some row opens.
func (s *Store) lockedOrDamaged(tx *Tx, why error) error {
	for _, bucket := range Buckets() {
		if tx.tx.Bucket([]byte(bucket)) != nil && tx.opensAny(bucket) {
			return unreadable(why)
		}
	}
	return locked("the key file is not the one this database was sealed with")
}

// checkNames finds a table that lost its name: its rows open under another one. A
// table of a later version is left alone.
func (t *Tx) checkNames() error {
	return t.tx.ForEach(func(name []byte, rows *bbolt.Bucket) error {
		bucket := Bucket(name)
		if key, _ := rows.Cursor().First(); key == nil || slices.Contains(Buckets(), bucket) || t.opensAny(bucket) {
			return nil
		}
		return unreadable(fmt.Errorf("the name %q of a table is damaged", name))
	})
}

// opensAny reports whether one of the first rows of a bucket is authentic.
func (t *Tx) opensAny(bucket Bucket) bool {
	list := t.rows(bucket, Scan{})
	for range 20 {
		key, sealed, err := list.next()
		if err != nil || key == nil {
			return false
		}
		if _, err := unseal(t.store.keys.rows, sealed, place(bucket, key)); err == nil {
			return true
		}
	}
	return false
}

// checkPages walks the whole file before bbolt gets it, see tree.
func checkPages(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	t := tree{image: image{file: file, size: info.Size()}}
	t.walk()
	if len(t.holes) > 0 || !t.sound {
		return unreadable(fmt.Errorf("%w: %d pages are not what they must be", ErrDamaged, len(t.holes)))
	}
	return nil
}

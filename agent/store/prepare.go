package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"

	"branchbot/internal/fault"
)

// layout is the version of what buckets.go lists.
const layout = "1"

// prepare loads the key and the epoch, or makes both with a new file. It runs
// under the file's lock, so only one process ever makes a key.
func (s *Store) prepare(dir string) (err error) {
	isNew := false
	err = s.db.View(func(tx *bbolt.Tx) error {
		isNew = tx.Bucket([]byte(Meta)) == nil
		return nil
	})
	if err != nil {
		return err
	}
	master, err := loadKey(filepath.Join(dir, KeyFileName), isNew)
	if err != nil {
		return err
	}
	if s.keys, err = newKeys(master); err != nil {
		return err
	}
	s.point("store.key_ready")
	if err := s.makeBuckets(); err != nil {
		return err
	}
	s.point("store.buckets_made")
	found := &call{fn: s.identify}
	if err := errors.Join(s.transact([]*call{found}), found.err); err != nil {
		return err
	}
	return s.resume()
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

// identify reads the epoch, which also proves the key, or makes it.
func (s *Store) identify(tx *Tx) error {
	epoch, err := tx.Get(Meta, []byte("epoch"))
	switch {
	case errors.Is(err, ErrNotFound):
		s.epoch = rand.Text()
		return errors.Join(tx.Put(Meta, []byte("layout"), []byte(layout)), tx.Put(Meta, []byte("epoch"), []byte(s.epoch)))
	case errors.Is(err, ErrDamaged):
		return locked("the key file is not the one this database was sealed with")
	case err != nil:
		return err
	}
	s.epoch = string(epoch)
	return checkLayout(tx)
}

func checkLayout(tx *Tx) error {
	found, err := tx.Get(Meta, []byte("layout"))
	if err != nil {
		return fmt.Errorf("read layout: %w", err)
	}
	if string(found) != layout {
		return fault.New(fault.Usage, "store_newer", "the database has layout %s, this branchbot knows %s", found, layout).
			WithHint("install the branchbot that wrote it, or a later one")
	}
	return nil
}

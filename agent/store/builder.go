package store

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// buildCommit is how many rows share a transaction of the new file.
const buildCommit = 2000

// builder writes sealed rows, as they are, into a new file. Nothing is on the
// disk before done.
type builder struct {
	db      *bbolt.DB
	tx      *bbolt.Tx
	pending int
}

func newBuilder(path string) (*builder, error) {
	db, err := openCopy(path)
	if err != nil {
		return nil, fmt.Errorf("make database: %w", err)
	}
	b := &builder{db: db}
	err = b.begin()
	for _, bucket := range Buckets() {
		if err == nil {
			_, err = b.bucket(bucket)
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.drop())
	}
	return b, nil
}

func (b *builder) begin() (err error) {
	b.tx, err = b.db.Begin(true)
	return err
}

func (b *builder) bucket(name Bucket) (*bbolt.Bucket, error) {
	return b.tx.CreateBucketIfNotExists([]byte(name))
}

// put writes a row unless the one that is there is as new; fresh tells that none was.
func (b *builder) put(bucket Bucket, key, sealed []byte) (fresh bool, err error) {
	rows, err := b.bucket(bucket)
	if err != nil {
		return false, err
	}
	there := rows.Get(key)
	if there != nil && commitOf(there) >= commitOf(sealed) {
		return false, nil
	}
	return there == nil, b.write(rows, key, sealed)
}

// replace writes a row whatever is there.
func (b *builder) replace(bucket Bucket, key, sealed []byte) error {
	rows, err := b.bucket(bucket)
	if err != nil {
		return err
	}
	return b.write(rows, key, sealed)
}

func (b *builder) write(rows *bbolt.Bucket, key, sealed []byte) error {
	if err := rows.Put(key, bytes.Clone(sealed)); err != nil { // bbolt keeps it until it commits
		return err
	}
	if b.pending++; b.pending < buildCommit {
		return nil
	}
	b.pending = 0
	if err := b.tx.Commit(); err != nil {
		return err
	}
	return b.begin()
}

// get reads a row back; nil when it is not there or not authentic.
func (b *builder) get(keys *keys, bucket Bucket, key []byte) []byte {
	rows, err := b.bucket(bucket)
	if err != nil {
		return nil
	}
	value, err := unseal(keys.rows, rows.Get(key), place(bucket, key))
	if err != nil {
		return nil
	}
	return value
}

// done puts everything on the disk.
func (b *builder) done() error {
	err := b.tx.Commit()
	b.tx = nil
	return errors.Join(err, b.db.Sync(), b.db.Close())
}

// drop gives up; the file is left to whoever named it.
func (b *builder) drop() error {
	var err error
	if b.tx != nil {
		err = b.tx.Rollback()
		b.tx = nil
	}
	return errors.Join(err, b.db.Close())
}

package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// CompactName is the file that compaction writes: a crash leaves it to the next
// start, which removes it.
const CompactName = TempPrefix + "compact.db"

const (
	compactCommit = 4 << 20 // bytes in one transaction of the new file
	compactLook   = 64      // rows between two looks whether somebody needs the store
)

// ErrNeeded ends a compaction because somebody needs the store.
var ErrNeeded = errors.New("the store is needed")

// Room is the size of the database file and what of it is in use, in bytes.
type Room struct{ Size, Used int64 }

// Room tells how much of the file is in use; nothing while the file cannot be read.
func (s *Store) Room() (room Room) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	_ = s.db.View(func(tx *bbolt.Tx) error { // see above
		room.Used = tx.Size()
		return nil
	})
	if info, err := os.Stat(filepath.Join(s.o.Dir, FileName)); err == nil {
		room.Size = info.Size()
	}
	stats := s.db.Stats()
	room.Used = max(room.Used-int64(stats.FreePageN+stats.PendingPageN)*int64(os.Getpagesize()), 0)
	return room
}

// Compact writes what is in use into a new file and puts it in the place of the
// old one, which is then overwritten. It gives way at once: ErrNeeded when somebody wants to
// write (nothing is lost but the work). Code copy_no_room: the disk has too
// little room for a second file. Readers wait while the files are exchanged.
func (s *Store) Compact(ctx context.Context) error {
	wanted := &compaction{ctx: ctx, done: make(chan error, 1)}
	select {
	case s.compacts <- wanted:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := <-wanted.done
	if wanted.old != nil {
		err = errors.Join(err, disk.Overwrite(wanted.old), wanted.old.Close())
	}
	return err
}

// compaction is one call of Compact.
type compaction struct {
	ctx  context.Context // of the call that waits for it
	old  *os.File        // the file that was replaced, without a name by now
	done chan error
	next *call // who needs the store
}

// needed reports, and remembers, that somebody wants to write.
func (c *compaction) needed(s *Store) bool {
	if c.next != nil {
		return true
	}
	select {
	case c.next = <-s.calls:
		return true
	case <-c.ctx.Done():
		return true
	case <-s.closing:
		return true
	default:
		return false
	}
}

// compact runs in the writer's goroutine, so nothing changes meanwhile. It returns
// the call that it gave way to.
func (s *Store) compact(c *compaction) *call {
	c.done <- s.replace(c)
	return c.next
}

func (s *Store) replace(c *compaction) (err error) {
	defer asDamage(&err)
	if err := errors.Join(s.usable(), s.hasRoom(s.o.Dir)); err != nil {
		return err
	}
	fresh := filepath.Join(s.o.Dir, CompactName)
	defer os.Remove(fresh) // what is left of it; after the rename there is none
	s.point("compact.begin")
	if err := s.copyTo(fresh, c); err != nil {
		return FullDisk(err)
	}
	s.point("compact.copied")
	if err := s.compare(fresh, c); err != nil {
		return err
	}
	s.point("compact.verified")
	return s.exchange(fresh, c)
}

// hasRoom refuses to write a copy of what is in use where results would then lack the room.
func (s *Store) hasRoom(folder string) error {
	space, err := disk.Measure(folder)
	if err != nil {
		return err
	}
	if used := s.Room().Used; space.Free < used+used/4+s.o.Reserve {
		return fault.New(fault.Application, "copy_no_room", "%d bytes are free, too few for a second file of %d", space.Free, used).
			WithHint("free disk space on the drive of the data folder")
	}
	return nil
}

// exchange puts the new file in place. Only the rename decides which one counts.
func (s *Store) exchange(fresh string, c *compaction) error {
	path := filepath.Join(s.o.Dir, FileName)
	old := keepOpen(path)
	s.gate.Lock()
	defer s.gate.Unlock()
	err := s.reopen(func() error {
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
		s.point("compact.renamed")
		if err := syncDir(s.o.Dir); err != nil {
			return err // a power cut may bring the old file back: it is not overwritten
		}
		c.old = old
		return nil
	})
	if c.old == nil && old != nil {
		err = errors.Join(err, old.Close())
	}
	if err != nil {
		s.failed = diskFailed(err) // usable tries again
		return s.failed
	}
	s.point("compact.done")
	return nil
}

// copyTo writes every row into a new file and waits for the disk.
func (s *Store) copyTo(path string, c *compaction) (err error) {
	to, err := openCopy(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	err = s.db.View(func(from *bbolt.Tx) error {
		return from.ForEach(func(name []byte, rows *bbolt.Bucket) error {
			return copyRows(to, name, rows, func() bool { return c.needed(s) })
		})
	})
	if err != nil {
		return err
	}
	if err := to.Update(s.carryFloor); err != nil {
		return err
	}
	return to.Sync()
}

// carryFloor writes the floor of the commit numbers into a new file.
func (s *Store) carryFloor(tx *bbolt.Tx) error {
	var top uint64
	err := s.db.View(func(old *bbolt.Tx) error {
		top = s.commitNumber(old) + 1 // the one after the last that was given
		return nil
	})
	if err != nil {
		return err
	}
	value := sealAt(s.keys.rows, sealRow, top, NumberKey(top), place(Meta, floorKey))
	return tx.Bucket([]byte(Meta)).Put(floorKey, value)
}

func openCopy(path string) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout, NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
	})
}

// copyRows copies a bucket, a few megabytes in a transaction.
func copyRows(to *bbolt.DB, name []byte, from *bbolt.Bucket, needed func() bool) error {
	cursor := from.Cursor()
	key, value := cursor.First()
	for first := true; first || key != nil; first = false {
		err := to.Update(func(tx *bbolt.Tx) error {
			rows, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			rows.FillPercent = 1
			for size, n := 0, 0; key != nil && size < compactCommit; n++ {
				if n%compactLook == 0 && needed() {
					return ErrNeeded
				}
				if err := rows.Put(key, value); err != nil {
					return err
				}
				size += len(key) + len(value)
				key, value = cursor.Next()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare reads the new file from the disk and checks it against the old one,
// row by row: a good file is never exchanged for a bad one.
func (s *Store) compare(path string, c *compaction) (err error) {
	forget(path)
	fresh, err := openCopy(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	return s.db.View(func(old *bbolt.Tx) error {
		return fresh.View(func(tx *bbolt.Tx) error {
			return old.ForEach(func(name []byte, rows *bbolt.Bucket) error {
				return sameRows(rows, tx.Bucket(name), func() bool { return c.needed(s) })
			})
		})
	})
}

func sameRows(a, b *bbolt.Bucket, needed func() bool) error {
	if b == nil {
		return unreadable(errors.New("the copy lacks a table"))
	}
	ours, theirs := a.Cursor(), b.Cursor()
	key, value := ours.First()
	otherKey, other := theirs.First()
	for n := 0; key != nil || otherKey != nil; n++ {
		if n%compactLook == 0 && needed() {
			return ErrNeeded
		}
		if !bytes.Equal(key, otherKey) || !bytes.Equal(value, other) && !bytes.Equal(key, floorKey) {
			return unreadable(errors.New("the copy differs"))
		}
		key, value = ours.Next()
		otherKey, other = theirs.Next()
	}
	return nil
}

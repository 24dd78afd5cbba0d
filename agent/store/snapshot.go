package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchbot/internal/disk"
)

const (
	// SnapshotFolder is where snapshots go when no other folder is named.
	SnapshotFolder = "snapshots"
	snapshotSuffix = ".snapshot"
	unfinished     = ".unfinished"
	snapshotsKept  = 3
	snapshotRows   = 256 // read in one short transaction
)

// Snapshots says where and how often copies of what cannot be learned again are made.
type Snapshots struct {
	Folder string        // SnapshotFolder in the data folder when empty
	Every  time.Duration // at most, and only after something changed; 0 for none at all
}

func (s *Store) snapshotFolder() string {
	if s.o.Snapshots.Folder != "" {
		return s.o.Snapshots.Folder
	}
	return filepath.Join(s.o.Dir, SnapshotFolder)
}

// Snapshot makes a snapshot now: written beside its name, put on the disk, read
// back and checked, then named. The rows are read a few at a time, each time in a
// short transaction, while the store works on: rows of one transaction may be in
// it in part. A restore takes every open run for possibly sent, so that is enough.
func (s *Store) Snapshot() (path string, err error) {
	folder := s.snapshotFolder()
	if err := MakeFolder(folder); err != nil {
		return "", fmt.Errorf("make a snapshot: %w", err)
	}
	if err := s.hasRoom(folder); err != nil {
		return "", fmt.Errorf("make a snapshot: %w", err)
	}
	at := s.Now()
	path = filepath.Join(folder, at.Format(stampFormat)+snapshotSuffix)
	fresh := strings.TrimSuffix(path, snapshotSuffix) + unfinished
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a snapshot: %w", diskError(err)), os.Remove(fresh))
		}
	}()
	if err := s.writeSnapshot(fresh); err != nil {
		return "", err
	}
	s.point("snapshot.written")
	forget(fresh)
	whole := &snapshot{path: fresh}
	if err := whole.read(s.keys, func(Bucket, []byte, []byte) error { return nil }); err != nil {
		return "", fmt.Errorf("read it back: %w", err)
	}
	s.point("snapshot.verified")
	if err := errors.Join(os.Rename(fresh, path), syncDir(folder)); err != nil {
		return "", err
	}
	s.point("snapshot.named")
	return path, s.prune()
}

func (s *Store) writeSnapshot(path string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var commit uint64
	if err := s.View(func(tx *Tx) error { commit = s.commitNumber(tx.tx); return nil }); err != nil {
		return err
	}
	to, err := newFramer(file, s.keys, commit)
	if err != nil {
		return err
	}
	if err := s.eachVital(to.row); err != nil {
		return err
	}
	return errors.Join(to.end(), file.Sync())
}

// derived are the buckets that a snapshot takes in part or not at all: what the
// journal tells again, what head office has, what is only a description of a file.
var derived = []Bucket{Journal, JournalHeads, Runs, RunsByStart, RunsOver, Outbox, Evidence, QuarantineRows}

// eachVital gives every row that cannot be learned again: all of the buckets that
// are not derived, the open runs, what head office does not have, and the
// descriptions of evidence that waits.
func (s *Store) eachVital(row func(Bucket, []byte, []byte) error) error {
	var open, pending [][]byte
	for _, bucket := range Buckets() {
		if slices.Contains(derived, bucket) {
			continue
		}
		err := s.eachRow(bucket, Scan{}, func(b Bucket, key, value []byte) error {
			switch {
			case b == RunsOpen:
				open = append(open, key)
			case b == EvidencePending && len(key) > 8:
				pending = append(pending, key[8:])
			}
			return row(b, key, value)
		})
		if err != nil {
			return err
		}
	}
	for _, run := range open {
		if err := s.eachOfRun(run, row); err != nil {
			return err
		}
	}
	for _, digest := range pending {
		if err := s.eachRow(Evidence, Scan{Prefix: digest}, row); err != nil {
			return err
		}
	}
	return s.eachUnsent(row)
}

func (s *Store) eachOfRun(run []byte, row func(Bucket, []byte, []byte) error) error {
	return errors.Join(
		s.eachRow(Journal, Scan{Prefix: append(slices.Clone(run), 0)}, row),
		s.eachRow(JournalHeads, Scan{Prefix: run}, row),
		s.eachRow(Runs, Scan{Prefix: run}, row))
}

// eachUnsent gives the records from the place on that head office told last.
func (s *Store) eachUnsent(row func(Bucket, []byte, []byte) error) error {
	var from []byte
	var latest time.Time
	err := s.View(func(tx *Tx) error {
		return tx.Range(OutboxSent, Scan{}, func(key, value []byte) error {
			at, err := time.Parse(time.RFC3339Nano, string(value))
			if err == nil && !at.Before(latest) {
				from, latest = key, at
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	return s.eachRow(Outbox, Scan{From: from}, row)
}

// eachRow gives the sealed rows of a scan, a few in each transaction. Damaged ones
// go into quarantine, not into the copy.
func (s *Store) eachRow(bucket Bucket, scan Scan, row func(Bucket, []byte, []byte) error) error {
	for {
		var found []element
		err := s.View(func(tx *Tx) error {
			list := tx.rows(bucket, scan)
			for size := 0; len(found) < snapshotRows && size < frameSize; {
				key, sealed, err := list.next()
				if err != nil || key == nil {
					return err
				}
				found = append(found, element{key: key, value: slices.Clone(sealed)})
				size += len(key) + len(sealed)
				if _, err := unseal(s.keys.rows, sealed, place(bucket, key)); err != nil {
					tx.found(bucket, key, sealed, err)
					found[len(found)-1].value = nil
				}
			}
			return nil
		})
		if err != nil || len(found) == 0 {
			return err
		}
		for _, e := range found {
			if e.value == nil {
				continue
			}
			if err := row(bucket, e.key, e.value); err != nil {
				return err
			}
		}
		scan.From = append(found[len(found)-1].key, 0)
	}
}

// prune removes all snapshots but the newest ones, and what was left unfinished.
func (s *Store) prune() error {
	left, err := filepath.Glob(filepath.Join(s.snapshotFolder(), "*"+unfinished))
	for i, old := range s.snapshots() {
		if i >= snapshotsKept {
			left = append(left, old.path)
		}
	}
	for _, path := range left {
		err = errors.Join(err, disk.Remove(path))
	}
	return err
}

// snapshots lists the finished files, the newest first: by commit number, since
// clocks can go back.
func (s *Store) snapshots() []*snapshot {
	paths, _ := filepath.Glob(filepath.Join(s.snapshotFolder(), "*"+snapshotSuffix)) // a pattern that is right
	var list []*snapshot
	for _, path := range paths {
		n, err := readHead(path)
		if err != nil {
			n = &snapshot{path: path} // the first to go
		}
		n.at = stamp(strings.TrimSuffix(filepath.Base(path), snapshotSuffix))
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *snapshot) int {
		return cmp.Or(cmp.Compare(b.commit, a.commit), b.at.Compare(a.at))
	})
	return list
}

// newestSnapshot returns the newest one that is whole; nil when there is none.
func (s *Store) newestSnapshot() *snapshot {
	for _, n := range s.snapshots() {
		err := n.read(s.keys, func(Bucket, []byte, []byte) error { return nil })
		if err == nil {
			return n
		}
		s.o.Logger.Warn("a snapshot cannot be used", "file", filepath.Base(n.path), "error", err)
	}
	return nil
}

// Copies is what is known of the snapshots.
type Copies struct {
	Folder string    `json:"folder"`
	Count  int       `json:"count"`
	Last   time.Time `json:"last,omitzero"`
}

// Copies tells what snapshots there are.
func (s *Store) Copies() Copies {
	list := s.snapshots()
	c := Copies{Folder: s.snapshotFolder(), Count: len(list)}
	if len(list) > 0 {
		c.Last = list[0].at
	}
	return c
}

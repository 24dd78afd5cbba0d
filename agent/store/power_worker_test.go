//go:build linux

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// worker changes rows of its own until the store says no. It keeps what it was
// told (Update returned nil) and the one change of which it was told nothing.
type worker struct {
	n        int
	rows     map[string][]byte // key → value, as told
	asked    *row              // the change under way at the cut
	runs     *promised
	evidence map[string][]byte // digest → content
}

// row is one change: the value stands in two buckets, all or nothing. A nil
// value deletes both.
type row struct {
	key   string
	value []byte
}

func newWorker(n int) *worker {
	return &worker{n: n, rows: map[string][]byte{}, runs: newPromised(), evidence: map[string][]byte{}}
}

func openKeeper(s *store.Store, dir string) (*evidence.Keeper, error) {
	return evidence.Open(evidence.Options{Dir: dir, Store: s})
}

// work runs all workers until the power fails. The error is one that was there
// before: the disk was well and the store refused.
func (d *device) work() (told int, err error) {
	s, err := d.open()
	if err != nil {
		return 0, d.unlessCut(err)
	}
	defer s.Close() // without power: it cannot say more
	keeper, err := openKeeper(s, d.dir())
	if err != nil {
		return 0, d.unlessCut(err)
	}
	workers, alone := d.workers, d.r.IntN(2) == 0
	if alone {
		workers = workers[:1]
	}
	var running sync.WaitGroup
	var count atomic.Int64
	refusals := make([]error, len(workers))
	for i, w := range workers {
		r := rand.New(rand.NewPCG(d.r.Uint64(), 0))
		running.Go(func() {
			for n := 1; refusals[i] == nil; n++ {
				refusals[i] = w.change(s, keeper, r)
				count.Add(1)
				if alone && n%8 == 0 {
					d.tidy(s, r)
				}
			}
		})
	}
	running.Wait()
	return int(count.Load()) - len(workers), d.unlessCut(errors.Join(refusals...)) // the last change of each was refused
}

func (d *device) open() (*store.Store, error) {
	return store.Open(context.Background(), store.Options{Dir: d.dir(), Reserve: 64 << 10})
}

// sameSnapshot finds the last promised snapshot, or a later one.
func (d *device) sameSnapshot() error {
	there, err := filepath.Glob(filepath.Join(d.dir(), store.SnapshotFolder, "*"))
	if err != nil || d.snapshot == "" {
		return err
	}
	for _, path := range there {
		if filepath.Base(path) >= d.snapshot {
			return nil
		}
	}
	return fmt.Errorf("%w: snapshot %s", errLost, d.snapshot)
}

// unlessCut passes an error on that has no cut for its reason.
func (d *device) unlessCut(err error) error {
	if d.drive.Failed() {
		return nil
	}
	return fmt.Errorf("refused while the disk was well: %w", err)
}

// tidy does what the agent does when it is idle.
func (d *device) tidy(s *store.Store, r *rand.Rand) {
	if r.IntN(2) == 0 {
		if path, err := s.Snapshot(); err == nil {
			d.found.snapshots++
			d.snapshot = filepath.Base(path)
		}
	} else if s.Compact(context.Background()) == nil {
		d.found.compacted++
	}
}

// change does one thing that a device does.
func (w *worker) change(s *store.Store, keeper *evidence.Keeper, r *rand.Rand) error {
	switch r.IntN(6) {
	case 0:
		return w.writeRun(s)
	case 1:
		return w.keepPicture(keeper, r)
	default:
		return w.writeRow(s, r)
	}
}

func (w *worker) writeRow(s *store.Store, r *rand.Rand) error {
	sizes := []int{40, 200, 3000, 30_000}
	value := make([]byte, 1+r.IntN(sizes[r.IntN(len(sizes))]))
	for i := range value {
		value[i] = byte(r.Uint32())
	}
	change := &row{key: fmt.Sprintf("%d/%02d", w.n, r.IntN(40)), value: value}
	if r.IntN(4) == 0 {
		change.value = nil
	}
	w.asked = change
	if err := s.Update(context.Background(), change.write); err != nil {
		return err
	}
	w.settle(change)
	return nil
}

func (c *row) write(tx *store.Tx) error {
	for _, bucket := range []store.Bucket{store.Settings, store.Secrets} {
		var err error
		if c.value == nil {
			err = tx.Delete(bucket, []byte(c.key))
		} else {
			err = tx.Put(bucket, []byte(c.key), c.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) settle(c *row) {
	w.asked = nil
	if c.value == nil {
		delete(w.rows, c.key)
	} else {
		w.rows[c.key] = c.value
	}
}

func (w *worker) keepPicture(keeper *evidence.Keeper, r *rand.Rand) error {
	picture := make([]byte, 1+r.IntN(5000))
	for i := range picture {
		picture[i] = byte(r.Uint32())
	}
	ref, err := keeper.Put(context.Background(), picture, evidence.Meta{Run: "run_1", Kind: "failure"})
	if err == nil {
		w.evidence[ref.Digest] = picture
	}
	return err
}

// writeRun writes a run as the agent does: its END and the record for head
// office in one transaction.
func (w *worker) writeRun(s *store.Store) error {
	run := wire.NewID(wire.RunPrefix)
	for _, kind := range []wire.RecordKind{wire.RecordStart, wire.RecordEnd} {
		var seq uint64
		data := encoded(wire.StartData{Bot: "account-opening"})
		if kind == wire.RecordEnd {
			data = encoded(wire.EndData{State: wire.Succeeded})
		}
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			written, err := journal.Append(tx, wire.JournalRecord{Run: run, Kind: kind, Data: data})
			if err != nil || kind != wire.RecordEnd {
				return err
			}
			added, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: run, Body: encoded(journal.Describe([]wire.JournalRecord{written}))})
			seq = added.Seq
			return err
		})
		if err != nil {
			return err
		}
		w.runs.note(fmt.Sprintf("durable %s %s %d", run, kind, seq))
	}
	return nil
}

// verify compares with what is there, and takes the change that nobody was told
// of as it is found.
func (w *worker) verify(s *store.Store, keeper *evidence.Keeper, found *figures) error {
	return errors.Join(
		s.View(func(tx *store.Tx) error { return w.sameRows(tx, found) }),
		s.View(w.sameRuns),
		w.samePictures(keeper),
	)
}

func (w *worker) sameRows(tx *store.Tx, found *figures) error {
	prefix := fmt.Appendf(nil, "%d/", w.n)
	there, err := rowsOf(tx, store.Settings, prefix)
	twin, problem := rowsOf(tx, store.Secrets, prefix)
	if err = errors.Join(err, problem); err != nil {
		return err
	}
	if !maps.EqualFunc(there, twin, bytes.Equal) {
		return fmt.Errorf("worker %d: a transaction is there in part", w.n)
	}
	if c := w.asked; c != nil && !bytes.Equal(there[c.key], w.rows[c.key]) && bytes.Equal(there[c.key], c.value) {
		found.unpromisedThere++
		w.settle(c)
	}
	w.asked = nil
	for _, key := range slices.Sorted(maps.Keys(w.rows)) {
		if !bytes.Equal(there[key], w.rows[key]) {
			return fmt.Errorf("%w: row %s", errLost, key)
		}
	}
	if len(there) != len(w.rows) {
		return fmt.Errorf("%w: %d rows, promised %d: a deleted one is back", errLost, len(there), len(w.rows))
	}
	return nil
}

func rowsOf(tx *store.Tx, bucket store.Bucket, prefix []byte) (map[string][]byte, error) {
	rows := map[string][]byte{}
	err := tx.Range(bucket, store.Scan{Prefix: prefix}, func(key, value []byte) error {
		rows[string(key)] = bytes.Clone(value)
		return nil
	})
	return rows, err
}

func (w *worker) sameRuns(tx *store.Tx) error {
	for run, kinds := range w.runs.runs {
		if err := sameJournal(tx, run, kinds); err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	return nil
}

// sameOutbox finds every promised record of all workers under its seq, no gap.
// In a restored database the records wait under the former epoch.
func (d *device) sameOutbox(s *store.Store) error {
	all := newPromised()
	for _, w := range d.workers {
		maps.Copy(all.seqs, w.runs.seqs)
	}
	switch {
	case len(all.seqs) == 0:
		return nil
	case s.Restored() != nil:
		return s.View(all.inOutbox)
	}
	return s.View(all.sameOutbox)
}

func (p *promised) inOutbox(tx *store.Tx) error {
	for run, seq := range p.seqs {
		line, err := tx.Get(store.Outbox, store.NumberKey(seq))
		if err != nil || !bytes.Contains(line, []byte(run)) {
			return fmt.Errorf("%w: the record of %s: %w", errLost, run, err)
		}
	}
	return nil
}

func (w *worker) samePictures(keeper *evidence.Keeper) error {
	for digest, picture := range w.evidence {
		if there, err := keeper.Get(context.Background(), digest); err != nil || !bytes.Equal(there, picture) {
			return fmt.Errorf("%w: evidence %s: %w", errLost, digest, err)
		}
	}
	return nil
}

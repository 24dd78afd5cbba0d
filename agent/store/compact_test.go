package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/soak"
)

// rowsIn reads a whole bucket.
func rowsIn(t *testing.T, s *store.Store, bucket store.Bucket) map[string]string {
	t.Helper()
	rows := map[string]string{}
	err := s.View(func(tx *store.Tx) error {
		return tx.Range(bucket, store.Scan{}, func(key, value []byte) error {
			rows[string(key)] = string(value)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// swell writes rows and deletes most of them: the file stays large.
func swell(t *testing.T, s *store.Store, size int) map[string]string {
	t.Helper()
	value := make([]byte, 32<<10)
	rows := size / len(value)
	for at := 0; at < rows; at += 64 {
		update(t, s, func(tx *store.Tx) error {
			for n := at; n < min(at+64, rows); n++ {
				if err := tx.Put(store.Settings, store.NumberKey(uint64(n)), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	kept := map[string]string{}
	for n := range uint64(rows) {
		if n%16 == 0 {
			kept[string(store.NumberKey(n))] = string(value)
			continue
		}
		update(t, s, func(tx *store.Tx) error { return tx.Delete(store.Settings, store.NumberKey(n)) })
	}
	return kept
}

func update(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func openAt(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A large file with little in it becomes small, under readers and writers; all
// that was promised is there, before and after the next start.
func TestCompact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, store.Options{Dir: dir})
	kept := swell(t, s, 8<<20)
	before := s.Room()
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if got := len(rowsIn(t, s, store.Settings)); got != len(kept) {
					t.Errorf("a reader sees %d rows, want %d", got, len(kept))
					return
				}
			}
		})
	}
	err := s.Compact(t.Context())
	stop()
	readers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if after := s.Room(); after.Size > before.Size/4 || before.Size < 8<<20 {
		t.Errorf("%+v became %+v", before, after)
	}
	epoch := s.Epoch()
	kept["later"] = "written into the new file"
	update(t, s, func(tx *store.Tx) error { return tx.Put(store.Settings, []byte("later"), []byte(kept["later"])) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, store.Options{Dir: dir})
	if diff := cmp.Diff(kept, rowsIn(t, s, store.Settings)); diff != "" || s.Epoch() != epoch {
		t.Errorf("epoch %s, want %s; -want +got:\n%s", s.Epoch(), epoch, diff)
	}
}

// Compaction gives way to whoever needs the store, and is done another time.
func TestCompactGivesWay(t *testing.T) {
	t.Parallel()
	var writers sync.WaitGroup
	var s *store.Store
	needed := func() {
		update(t, s, func(tx *store.Tx) error { return tx.Put(store.Settings, []byte("needed"), []byte("now")) })
	}
	s = openAt(t, store.Options{Dir: t.TempDir(), Point: func(name string) {
		if name == "compact.begin" {
			writers.Go(needed)
		}
	}})
	kept := swell(t, s, 4<<20)
	kept["needed"] = "now"
	var err error
	for !errors.Is(err, store.ErrNeeded) { // the writer may come too late once in a while
		if err = s.Compact(t.Context()); err != nil && !errors.Is(err, store.ErrNeeded) {
			t.Fatal(err)
		}
		writers.Wait()
	}
	if diff := cmp.Diff(kept, rowsIn(t, s, store.Settings)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// While the file is exchanged the folder still belongs to this process.
func TestCompactKeepsTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tried := map[string]string{}
	s := openAt(t, store.Options{Dir: dir, Point: func(name string) {
		if len(name) > 8 && name[:8] == "compact." {
			other, err := store.Open(context.Background(), store.Options{Dir: dir})
			tried[name] = fault.Code(err)
			if err == nil {
				_ = other.Close()
			}
		}
	}})
	swell(t, s, 1<<20)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, name := range []string{"begin", "copied", "verified", "renamed", "done"} {
		want["compact."+name] = "data_in_use"
	}
	if diff := cmp.Diff(want, tried); diff != "" {
		t.Errorf("a second process, -want +got:\n%s", diff)
	}
}

// What is left of a compaction that was cut short is removed at the next start,
// and the database is whole, whichever of the two files counts.
func TestCompactCrash(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"compact.begin", "compact.copied", "compact.verified", "compact.renamed", "compact.done"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir, copied := t.TempDir(), t.TempDir()
			crash := func(name string) {
				if name == point { // what a crash would leave, for another process
					if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
						t.Error(err)
					}
				}
			}
			s := openAt(t, store.Options{Dir: dir, Point: crash})
			kept := swell(t, s, 1<<20)
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := openAt(t, store.Options{Dir: copied})
			if diff := cmp.Diff(kept, rowsIn(t, after, store.Settings)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if left, _ := filepath.Glob(filepath.Join(copied, store.TempPrefix+"*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// The bytes of the old file are overwritten once it has no name.
func TestCompactOverwrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openAt(t, store.Options{Dir: dir})
	swell(t, s, 1<<20)
	second := filepath.Join(t.TempDir(), "second name")
	if err := os.Link(filepath.Join(dir, store.FileName), second); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadFile(second); err != nil || len(bytes.Trim(left, "\x00")) > 0 {
		t.Errorf("%d bytes of the old file are left, %v", len(bytes.Trim(left, "\x00")), err)
	}
}

// TestCompactModel does random things, compactions among them, and compares with a map.
func TestCompactModel(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s, model := openAt(t, store.Options{Dir: dir}), map[string]string{}
	for n := range soak.Times(t, 300) {
		key := fmt.Sprint("row ", r.IntN(200))
		switch r.IntN(12) {
		case 0:
			if err := s.Compact(t.Context()); err != nil {
				t.Fatal(err)
			}
		case 1:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, store.Options{Dir: dir})
		case 2, 3, 4:
			update(t, s, func(tx *store.Tx) error { return tx.Delete(store.Settings, []byte(key)) })
			delete(model, key)
		default:
			model[key] = fmt.Sprint(n, string(make([]byte, r.IntN(5000))))
			update(t, s, func(tx *store.Tx) error { return tx.Put(store.Settings, []byte(key), []byte(model[key])) })
		}
	}
	if diff := cmp.Diff(model, rowsIn(t, s, store.Settings)); diff != "" {
		t.Errorf("seed %d: -want +got:\n%s", seed, diff)
	}
}

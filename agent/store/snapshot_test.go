package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vital returns what a snapshot has: place → value.
func vital(t *testing.T, s *Store, path string) map[string]string {
	t.Helper()
	rows := map[string]string{}
	err := (&snapshot{path: path}).read(s.keys, func(bucket Bucket, key, value []byte) error {
		plain, err := unseal(s.keys.rows, value, place(bucket, key))
		rows[string(bucket)+" "+string(key)] = string(plain)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSnapshotHasWhatCannotBeLearnedAgain(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	number := func(n uint64) string { return string(NumberKey(n)) }
	rows := []struct {
		bucket Bucket
		key    string
		vital  bool
	}{
		{RunsOpen, "run_open", true},
		{Journal, "run_open\x00" + number(1), true},
		{Journal, "run_open\x00" + number(2), true},
		{JournalHeads, "run_open", true},
		{Runs, "run_open", true},
		{Journal, "run_over\x00" + number(1), false},
		{JournalHeads, "run_over", false},
		{Runs, "run_over", false},
		{RunsByStart, number(4) + "run_over", false},
		{Keys, "a claim", true},
		{Outbox, number(1), false},
		{Outbox, number(2), false},
		{Outbox, number(3), true},
		{OutboxState, "state", true},
		{Secrets, "core", true}, {Sites, "core", true}, {Identity, "identity", true}, {Settings, "language", true},
		{Fires, "night\x00today", true}, {FiresSince, "night\x00rule", true},
		{EvidencePending, number(9) + "digest-a", true},
		{Evidence, "digest-a", true}, {Evidence, "digest-b", false},
	}
	want := map[string]string{}
	err := s.Update(t.Context(), func(tx *Tx) error {
		for _, row := range rows {
			if row.vital {
				want[string(row.bucket)+" "+row.key] = "value"
			}
			if err := tx.Put(row.bucket, []byte(row.key), []byte("value")); err != nil {
				return err
			}
		}
		for seq, at := range map[uint64]time.Time{2: tx.Now().Add(-time.Hour), 3: tx.Now()} {
			text, err := at.MarshalText()
			want["outbox_sent "+number(seq)] = string(text)
			if err := errors.Join(err, tx.Put(OutboxSent, NumberKey(seq), text)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	path, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	got := vital(t, s, path)
	for key := range got {
		if bytes.HasPrefix([]byte(key), []byte("meta ")) {
			delete(got, key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A file that was changed anywhere, cut anywhere or made longer is not used.
func TestSnapshotIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	for i := range 30 {
		put(t, s, Settings, fmt.Sprint("row ", i), "value")
	}
	path, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(raw []byte) error {
		return readSnapshot(bytes.NewReader(raw), s.keys, func(Bucket, []byte, []byte) error { return nil })
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		spoiled := bytes.Clone(whole)
		spoiled[at] ^= 1 << (at % 8)
		if err := read(spoiled); !errors.Is(err, ErrDamaged) {
			t.Errorf("changed at %d: %v", at, err)
		}
		if err := read(whole[:at]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
	if err := read(append(whole, 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("made longer: %v", err)
	}
}

func TestTheLastSnapshotsStay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var paths []string
	for i := range 5 {
		now = now.Add(time.Duration(2-i) * time.Hour) // the clock goes back, too
		put(t, s, Settings, "row", fmt.Sprint(i))
		path, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	left, err := filepath.Glob(filepath.Join(dir, SnapshotFolder, "*"))
	if err != nil || len(left) != snapshotsKept {
		t.Errorf("left %v, %v", left, err)
	}
	newest := s.newestSnapshot()
	if newest == nil || newest.path != paths[4] || vital(t, s, newest.path)["settings row"] != "4" {
		t.Errorf("the newest is %+v, want %s", newest, paths[4])
	}
}

// Tend makes a snapshot after activity, not without, and not more often than told.
func TestSnapshotsFollowActivity(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: func() time.Time { return now }, Snapshots: Snapshots{Every: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	steps := []struct {
		name  string
		write bool
		after time.Duration
		want  int
	}{
		{"nothing happened", false, time.Hour, 0},
		{"the first change", true, time.Hour, 1},
		{"a change too soon", true, time.Second, 1},
		{"it is time", false, time.Minute, 2},
		{"idle", false, time.Hour, 2},
		{"a change after a long rest", true, time.Second, 3},
	}
	for _, step := range steps {
		if step.write {
			put(t, s, Settings, "row", step.name)
		}
		now = now.Add(step.after)
		s.snapshotIfDue(now)
		if got := s.Copies().Count; got != step.want {
			t.Errorf("%s: %d snapshots, want %d", step.name, got, step.want)
		}
	}
	put(t, s, Settings, "row", "last")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := vital(t, s, s.newestSnapshot().path)["settings row"]; got != "last" {
		t.Errorf("at the clean close the snapshot has %q", got)
	}
}

// A database file that is gone comes back from the newest snapshot that is whole.
func TestTheFileIsGone(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	o := Options{Dir: dir, Snapshots: Snapshots{Folder: other}}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	var last string
	for i := range 2 {
		put(t, s, Settings, "row", fmt.Sprint(i))
		if last, err = s.Snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Close(), os.Remove(filepath.Join(dir, FileName)), os.Truncate(last, 100)); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := get(t, s, Settings, "row"); got != "0" {
		t.Errorf("row is %q, %v", got, err)
	}
	r := s.Restored()
	if r == nil || r.FormerEpoch != epoch || s.Epoch() == epoch || r.SnapshotAt == nil || r.Rows[FromSnapshot] == 0 || r.Aside != "" {
		t.Errorf("restored %+v, epoch %s was %s", r, s.Epoch(), epoch)
	}
}

func FuzzSnapshot(f *testing.F) {
	k, err := newKeys(bytes.Repeat([]byte{7}, keySize))
	if err != nil {
		f.Fatal(err)
	}
	var whole bytes.Buffer
	to, err := newFramer(&whole, k, 4)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(to.row(Settings, []byte("key"), []byte("value")), to.end()); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:60])
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows := 0
		err := readSnapshot(bytes.NewReader(raw), k, func(bucket Bucket, key, value []byte) error {
			rows++
			if string(bucket) != "settings" || string(key) != "key" || string(value) != "value" {
				t.Errorf("a row that was never written: %s %q %q", bucket, key, value)
			}
			return nil
		})
		if err == nil && rows != 1 {
			t.Errorf("a file with %d rows was accepted", rows)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 'a', 1, 'b', 1, 'c'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		size := 0
		err := unpack(raw, func(bucket Bucket, key, value []byte) error {
			size += len(bucket) + len(key) + len(value) + 3
			return nil
		})
		if size > len(raw) || err == nil && len(raw) > 0 && size == 0 {
			t.Errorf("%d bytes became %d, %v", len(raw), size, err)
		}
	})
}

package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"branchbot/internal/testkit/soak"
)

// TestEveryFlippedBitIsFound flips bits in the sealed value of every row of a
// database: one in some places of each row, and in the soak all there are.
func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 11))
	w := newWreckage(t, r)
	k := w.keys(t)
	perRow := soak.Times(t, 40)
	flips, found := 0, 0
	for at, seal := range w.seals {
		sealed := bytes.Clone(w.file[seal.from:seal.to])
		bits := r.Perm(len(sealed) * 8)
		for _, bit := range bits[:min(perRow, len(bits))] {
			sealed[bit/8] ^= 1 << (bit % 8)
			if _, err := unseal(k.rows, sealed, []byte(at)); errors.Is(err, ErrDamaged) {
				found++
			}
			sealed[bit/8] ^= 1 << (bit % 8)
			flips++
		}
	}
	if found != flips {
		t.Errorf("%d of %d flips were found", found, flips)
	}
	soak.Report(t, map[string]any{"rows": len(w.seals), "flips": flips, "found": found})
}

func (w *wreckage) keys(t *testing.T) *keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), KeyFileName)
	if err := os.WriteFile(path, w.key, 0o600); err != nil {
		t.Fatal(err)
	}
	master, err := loadKey(path, false)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeys(master)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestScrubberFindsFlippedBits flips bits in a closed file and lets the scrubber
// walk: it finds each, while every other row is served. One flipped bit is put
// right; more go into quarantine, and the row stays damaged until it is written.
func TestScrubberFindsFlippedBits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 12))
	w := newWreckage(t, r)
	places := make([]string, 0, len(w.seals))
	for at := range w.seals {
		if bucket, _ := splitPlace([]byte(at)); bucket != Meta {
			places = append(places, at)
		}
	}
	slices.Sort(places)
	found, mended := 0, 0
	times := soak.Times(t, 24)
	for range times {
		at, bits := places[r.IntN(len(places))], 1+r.IntN(3)
		q := w.scrub(t, r, at, bits)
		if q.Found != 1 || (q.Mended == 1) != (bits == 1 && w.isSmall(at)) {
			t.Errorf("%q, %d bits: %+v", at, bits, q)
		}
		found += int(q.Found)
		mended += int(q.Mended)
	}
	soak.Report(t, map[string]any{"flips": times, "found": found, "mended": mended})
}

func (w *wreckage) isSmall(at string) bool { return w.seals[at].to-w.seals[at].from <= maxUnflip }

func (w *wreckage) scrub(t *testing.T, r *rand.Rand, at string, bits int) Quarantine {
	t.Helper()
	dir := t.TempDir()
	file := bytes.Clone(w.file)
	seal := w.seals[at]
	for _, bit := range r.Perm((seal.to - seal.from) * 8)[:bits] {
		file[seal.from+bit/8] ^= 1 << (bit % 8)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, FileName), file, 0o600), os.WriteFile(filepath.Join(dir, KeyFileName), w.key, 0o600)); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	damaged := 0
	for place, round := (Place{}), false; !round; {
		next, seen, err := s.Scrub(place, 50)
		if err != nil {
			t.Fatal(err)
		}
		place, round, damaged = next, seen.Round, damaged+seen.Damaged
	}
	if damaged != 1 {
		t.Errorf("the scrubber met %d damaged rows", damaged)
	}
	q := quarantinedSoon(t, s)
	bucket, key := splitPlace([]byte(at))
	got, err := get(t, s, bucket, string(key))
	if q.Mended == 1 && got != w.now[at] || q.Mended == 0 && !errors.Is(err, ErrDamaged) {
		t.Errorf("%q is %.40q, %v; %+v", at, got, err, q)
	}
	w.compareOthers(t, s, at)
	put(t, s, bucket, string(key), "anew")
	if got, err := get(t, s, bucket, string(key)); got != "anew" {
		t.Errorf("written again it is %q, %v", got, err)
	}
	return q
}

// quarantinedSoon waits until the damage that was met has been dealt with.
func quarantinedSoon(t *testing.T, s *Store) Quarantine {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		q, err := s.Quarantined()
		if err != nil {
			t.Fatal(err)
		}
		if q.Found > 0 {
			return q
		}
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatal("the damaged row never reached quarantine")
		}
	}
}

func (w *wreckage) compareOthers(t *testing.T, s *Store, except string) {
	t.Helper()
	for at, want := range w.now {
		bucket, key := splitPlace([]byte(at))
		if got, err := get(t, s, bucket, string(key)); at != except && got != want {
			t.Errorf("%q is %.40q, %v", at, got, err)
		}
	}
}

// A flipped bit in a key hides the row; the seal tells under which key it belongs.
func TestFlippedKeyIsPutRight(t *testing.T) {
	t.Parallel()
	s := damagedRows(t, func(rows *bbolt.Bucket, key []byte) error {
		sealed := bytes.Clone(rows.Get(key))
		flipped := bytes.Clone(key)
		flipped[0] ^= 0x40
		return errors.Join(rows.Delete(key), rows.Put(flipped, sealed))
	}, 3)
	if _, err := get(t, s, Settings, "3"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("the hidden row: %v", err)
	}
	for place, round := (Place{}), false; !round; {
		next, seen, err := s.Scrub(place, 50)
		if err != nil {
			t.Fatal(err)
		}
		place, round = next, seen.Round
	}
	if q := quarantinedSoon(t, s); q.Mended != 1 {
		t.Errorf("%+v", q)
	}
	if got, err := get(t, s, Settings, "3"); got != "value 3" {
		t.Errorf("put right: %q, %v", got, err)
	}
}

// The quarantine is bounded; the count goes on.
func TestQuarantineKeepsWhatStoodThere(t *testing.T) {
	t.Parallel()
	var raw []byte
	s := damagedRows(t, func(rows *bbolt.Bucket, key []byte) error {
		raw = bytes.Repeat([]byte{7}, 90)
		return rows.Put(key, raw)
	}, 3, 5)
	for range 3 { // met again and again, moved once
		if _, err := get(t, s, Settings, "3"); !errors.Is(err, ErrDamaged) {
			t.Fatalf("damaged row: %v", err)
		}
		quarantinedSoon(t, s)
	}
	err := s.View(func(tx *Tx) error {
		row, err := GetJSON[quarantined](tx, QuarantineRows, place(Settings, []byte("3")))
		if !bytes.Equal(row.Raw, raw) || row.Bucket != Settings || string(row.Key) != "3" || row.Size != len(raw) {
			t.Errorf("kept %+v", row)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if q, err := s.Quarantined(); err != nil || q.Found != 1 || q.ByBucket["settings"] != 1 {
		t.Errorf("%+v, %v", q, err)
	}
}

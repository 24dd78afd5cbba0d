package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"branchbot/internal/testkit/soak"
)

// wreckage is a database with a past, as bytes, and what is known of it.
type wreckage struct {
	key, file []byte
	snapshots map[string][]byte
	now       map[string]string   // place → value
	ever      map[string][]string // place → all values it ever had
	spans     map[string][]span   // place → where its row stands in the file
	trunk     []span              // pages of the tree that lead to others
	seals     map[string]span     // place → its sealed value
}

type span struct{ from, to int }

func (s span) meets(o span) bool { return s.from < o.to && o.from < s.to }

// newWreckage writes, changes and deletes rows of all sizes, with snapshots and
// openings in between. Its buckets are inside the root page, or large.
func newWreckage(t *testing.T, r *rand.Rand) *wreckage {
	t.Helper()
	dir := t.TempDir()
	w := &wreckage{snapshots: map[string][]byte{}, now: map[string]string{}, ever: map[string][]string{}}
	buckets := []Bucket{Journal, Keys, Outbox, Secrets, Fires}
	for round := range 6 {
		s := openStore(t, dir)
		for range 12 {
			err := s.Update(t.Context(), func(tx *Tx) error {
				for range 20 {
					if err := w.change(tx, r, buckets[min(r.IntN(9), 4)]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if round == 2 || round == 4 {
			if _, err := s.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.load(t, dir)
	return w
}

func (w *wreckage) change(tx *Tx, r *rand.Rand, bucket Bucket) error {
	key := fmt.Appendf(nil, "row-%03d", r.IntN(map[Bucket]int{Journal: 400, Keys: 150}[bucket]+6))
	at := string(place(bucket, key))
	if r.IntN(6) == 0 {
		delete(w.now, at)
		return tx.Delete(bucket, key)
	}
	size := r.IntN(300)
	if r.IntN(60) == 0 {
		size = 3000 + r.IntN(9000)
	}
	value := fmt.Sprint(at, r.Uint64()) + string(bytes.Repeat([]byte("v"), size))
	w.now[at], w.ever[at] = value, append(w.ever[at], value)
	return tx.Put(bucket, key, []byte(value))
}

func (w *wreckage) load(t *testing.T, dir string) {
	t.Helper()
	read := func(path string) []byte {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	w.key, w.file = read(filepath.Join(dir, KeyFileName)), read(filepath.Join(dir, FileName))
	paths, err := filepath.Glob(filepath.Join(dir, SnapshotFolder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		w.snapshots[filepath.Base(path)] = read(path)
	}
	w.locate(t)
}

// locate finds the rows in the file by walking it; the pages that are no plain
// leaves count as trunk.
func (w *wreckage) locate(t *testing.T) {
	t.Helper()
	w.spans, w.seals = map[string][]span{}, map[string]span{}
	type found struct {
		bucket     Bucket
		key, bytes []byte
		entry      int
	}
	var rows []found
	tr := tree{image: image{file: bytes.NewReader(w.file), size: int64(len(w.file))}}
	tr.visit = func(bucket Bucket, list []element, _ bool) bool {
		for i, e := range list {
			rows = append(rows, found{bucket, bytes.Clone(e.key), slices.Concat(e.key, e.value), i})
		}
		return true
	}
	tr.walk()
	if len(tr.holes) > 0 || !tr.sound {
		t.Fatalf("a file that is whole has %d holes", len(tr.holes))
	}
	heads := headsOf(t, &tr)
	leaves := map[int]bool{}
	for _, row := range rows {
		from := 0
		for { // older copies of the same bytes stand in free pages
			from += bytes.Index(w.file[from:], row.bytes)
			if tr.seen[from/int(tr.unit)] {
				break
			}
			from++
		}
		page := heads[from/int(tr.unit)]
		leaves[page] = true
		head := page * int(tr.unit)
		at, to := string(place(row.bucket, row.key)), from+len(row.bytes)
		w.spans[at] = []span{{from, to}, {head + pageHeader + row.entry*pageElement, head + pageHeader + (row.entry+1)*pageElement}}
		w.seals[at] = span{from + len(row.key), to}
	}
	unit := int(tr.unit)
	w.file = w.file[:int(tr.header.pages)*unit] // bbolt makes files longer than they need be
	root := span{int(tr.header.root) * unit, int(tr.header.root+1) * unit}
	w.trunk = append(w.trunk, span{0, 2 * unit}, root)
	for page, placed := range tr.seen {
		if placed && !leaves[heads[page]] {
			w.trunk = append(w.trunk, span{page * unit, (page + 1) * unit})
		}
	}
	for at, spans := range w.spans { // a bucket inside the root page needs its entry there
		if spans[0].meets(root) {
			w.spans[at] = append(spans[:1], root)
		}
	}
}

// headsOf tells of each page in which one its head is: rows flow over.
func headsOf(t *testing.T, tr *tree) map[int]int {
	t.Helper()
	heads := map[int]int{}
	var buf []byte
	for id := 2; id < len(tr.seen); id++ {
		if !tr.seen[id] {
			continue
		}
		p, err := tr.read(uint64(id), &buf)
		if err != nil {
			t.Fatal(err)
		}
		head := id
		for range p.overflow {
			heads[id] = head
			id++
		}
		heads[id] = head
	}
	return heads
}

// harm is one way to damage bytes; it returns what it touched.
type harm func(r *rand.Rand, file []byte) ([]byte, []span)

const testUnit = 4096

var harms = map[string]harm{
	"bits": func(r *rand.Rand, file []byte) ([]byte, []span) {
		var touched []span
		for range 1 + r.IntN(12) {
			at := r.IntN(len(file))
			file[at] ^= 1 << r.IntN(8)
			touched = append(touched, span{at, at + 1})
		}
		return file, touched
	},
	"bits of headers": func(r *rand.Rand, file []byte) ([]byte, []span) {
		var touched []span
		for range 1 + r.IntN(5) {
			at := r.IntN(len(file)/testUnit)*testUnit + r.IntN(96)
			file[at] ^= 1 << r.IntN(8)
			touched = append(touched, span{at, at + 1})
		}
		return file, touched
	},
	"truncated": func(r *rand.Rand, file []byte) ([]byte, []span) {
		size := r.IntN(len(file)/testUnit+1) * testUnit
		if r.IntN(3) == 0 {
			size = r.IntN(len(file) + 1)
		}
		return file[:size], []span{{size, len(file)}}
	},
	"zeroed page": func(r *rand.Rand, file []byte) ([]byte, []span) {
		at := r.IntN(len(file)/testUnit) * testUnit
		clear(file[at : at+testUnit])
		return file, []span{{at, at + testUnit}}
	},
	"zeroed sector": func(r *rand.Rand, file []byte) ([]byte, []span) {
		at := r.IntN(len(file)/512) * 512
		clear(file[at : at+512])
		return file, []span{{at, at + 512}}
	},
	"swapped pages": func(r *rand.Rand, file []byte) ([]byte, []span) {
		a, b := r.IntN(len(file)/testUnit)*testUnit, r.IntN(len(file)/testUnit)*testUnit
		first := bytes.Clone(file[a : a+testUnit])
		copy(file[a:], file[b:b+testUnit])
		copy(file[b:], first)
		return file, []span{{a, a + testUnit}, {b, b + testUnit}}
	},
	"one header": func(r *rand.Rand, file []byte) ([]byte, []span) {
		at := r.IntN(2) * testUnit
		clear(file[at : at+128])
		return file, []span{{at, at + 128}}
	},
	"both headers": func(_ *rand.Rand, file []byte) ([]byte, []span) {
		clear(file[:2*testUnit])
		return file, []span{{0, 2 * testUnit}}
	},
}

// TestWhatCanBeSavedIsSaved damages a database in every way, and some snapshots
// with it, and opens it. The oracle is plain: a row whose bytes are untouched is
// there with its last value; any other row has one of the values it had, or is
// known to be damaged, or is gone; never anything else. The store works after it.
func TestWhatCanBeSavedIsSaved(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 10))
	figures := map[string]int{}
	w := newWreckage(t, r)
	names := make([]string, 0, len(harms))
	for name := range harms {
		names = append(names, name)
	}
	slices.Sort(names)
	for n := range soak.Times(t, 64) {
		if n%200 == 199 {
			w = newWreckage(t, r)
		}
		w.try(t, r, names[n%len(names)], figures)
		if t.Failed() {
			t.Fatalf("seed %d, round %d: %s", seed, n, names[n%len(names)])
		}
	}
	report := map[string]any{}
	for name, n := range figures {
		report[name] = n
	}
	soak.Report(t, report)
}

func (w *wreckage) try(t *testing.T, r *rand.Rand, name string, figures map[string]int) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spoiled, touched := harms[name](r, bytes.Clone(w.file))
	copies := w.lay(t, r, dir, spoiled)
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Errorf("open: %v", err)
		return
	}
	defer s.Close()
	figures[name]++
	if s.Restored() != nil {
		figures["put together again"]++
	}
	astray := w.compare(t, s, touched, copies && len(spoiled) == 0, figures)
	put(t, s, Settings, "works", "still")
	if q, err := s.Quarantined(); err != nil || q.Pages != "" {
		t.Errorf("%s: quarantine %+v, %v", name, q, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := checkPages(filepath.Join(dir, FileName)); err != nil && !astray {
		t.Errorf("the new file: %v", err)
	}
}

// lay puts the damaged device into a folder; copies tells that a snapshot is whole.
func (w *wreckage) lay(t *testing.T, r *rand.Rand, dir string, file []byte) (copies bool) {
	t.Helper()
	write := func(name string, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, SnapshotFolder), 0o700); err != nil {
		t.Fatal(err)
	}
	write(KeyFileName, w.key)
	write(FileName, file)
	for name, raw := range w.snapshots {
		if r.IntN(3) == 0 {
			raw = bytes.Clone(raw)
			raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		} else {
			copies = true
		}
		write(filepath.Join(SnapshotFolder, name), raw)
	}
	return copies
}

func (w *wreckage) compare(t *testing.T, s *Store, touched []span, fromCopy bool, figures map[string]int) (astray bool) {
	t.Helper()
	harmed := func(spans []span) bool {
		return slices.ContainsFunc(spans, func(a span) bool { return slices.ContainsFunc(touched, a.meets) })
	}
	// A flipped bit in a page of the trunk may lead to an older page that fits.
	astray = harmed(w.trunk) && !slices.ContainsFunc(touched, func(s span) bool { return s.to-s.from > 1 })
	for at, values := range w.ever {
		bucket, key := splitPlace([]byte(at))
		got, err := get(t, s, bucket, string(key))
		want, lives := w.now[at]
		switch {
		case err == nil && !slices.Contains(values, got):
			t.Errorf("%q is %.40q, which it never was", at, got)
		case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged):
			t.Errorf("%q: %v", at, err)
		case lives && !harmed(w.spans[at]) && !astray && got != want:
			t.Errorf("%q is untouched and is %.60q, %v; want %.60q; touched %v", at, got, err, want, touched)
		case !lives && err == nil && !harmed(w.trunk) && s.Restored() == nil:
			t.Errorf("%q was deleted and is back", at)
		case lives && got == want:
			figures["rows saved"]++
		case lives:
			figures["rows lost or older"]++
		}
	}
	if fromCopy {
		figures["from a snapshot alone"]++
	}
	return astray
}

package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"branchbot/internal/fault"
)

// A page that is spoiled under a running store costs the rows on it. Others are
// read and written, the process lives whatever is tried, the store says so, and
// the next start puts the file together again.
func TestPageSpoiledUnderARunningStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	key := func(i int) string { return fmt.Sprintf("row-%04d", i) }
	const rows = 600
	err := s.Update(t.Context(), func(tx *Tx) error {
		for i := range rows {
			if err := tx.Put(Journal, []byte(key(i)), make([]byte, 200)); err != nil {
				return err
			}
		}
		return tx.Put(Settings, []byte("row"), []byte("elsewhere"))
	})
	if err != nil {
		t.Fatal(err)
	}
	spoilLeaf(t, filepath.Join(dir, FileName))
	lost := 0
	for i := range rows {
		_, err := get(t, s, Journal, key(i))
		if err != nil && !fault.HasCode(err, "store_unreadable") {
			t.Errorf("row %d: %v", i, err)
		}
		if err != nil {
			lost++
			err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put(Journal, []byte(key(i)), []byte("anew")) })
			if !fault.HasCode(err, "store_unreadable") {
				t.Errorf("writing on the spoiled page: %v", err)
			}
		}
	}
	if lost == 0 || lost > 20 {
		t.Errorf("%d rows cannot be read", lost)
	}
	put(t, s, Settings, "row", "still")
	if q, err := s.Quarantined(); err != nil || q.Pages == "" {
		t.Errorf("quarantine %+v, %v", q, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if r := s.Restored(); r == nil || len(r.Torn) != 1 || r.Torn[0] != string(Journal) {
		t.Errorf("restored %+v", r)
	}
	missing := 0
	for i := range rows {
		if _, err := get(t, s, Journal, key(i)); errors.Is(err, ErrNotFound) {
			missing++
		} else if err != nil {
			t.Errorf("row %d after the restart: %v", i, err)
		}
	}
	if got, err := get(t, s, Settings, "row"); missing > lost || got != "still" {
		t.Errorf("missing %d of %d, settings %q, %v", missing, lost, got, err)
	}
}

// spoilLeaf makes one page in the middle of the journal's leaves nonsense.
func spoilLeaf(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	tr := tree{image: image{file: file, size: info.Size()}}
	tr.walk()
	middle := 0
	var buf []byte
	for id, placed := range tr.seen {
		if p, err := tr.read(uint64(id), &buf); placed && err == nil && p.flags == leafPage && p.count > 5 && id > len(tr.seen)/2 {
			if e, ok := p.element(0, true); ok && !e.isBucket {
				middle = id
				break
			}
		}
	}
	junk := make([]byte, testUnit)
	for i := range junk {
		junk[i] = 0xa5
	}
	if _, err := file.WriteAt(junk, int64(middle*testUnit)); err != nil || middle == 0 {
		t.Fatal(middle, err)
	}
}

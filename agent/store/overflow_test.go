package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Found by the soak: behind a large row, whose page flows over, a flipped bit in
// the key size of one entry hid the rows that stood on the further pages.
func TestRowsBehindAFlippedSizeAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	err := s.Update(t.Context(), func(tx *Tx) error {
		for i := range 5 {
			size := 100
			if i == 0 {
				size = 9000
			}
			if err := tx.Put(Journal, fmt.Appendf(nil, "row-%d", i), make([]byte, size)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &wreckage{file: file}
	w.locate(t)
	entry := w.spans[string(place(Journal, []byte("row-1")))][1]
	file[entry.from+9] ^= 1
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	for _, key := range []string{"row-0", "row-2", "row-3", "row-4"} {
		if _, err := get(t, s, Journal, key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// raw changes the closed database behind the store's back.
func raw(t *testing.T, dir string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, FileName), 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// damagedRows makes rows 0…9 in Settings and spoils some of them.
func damagedRows(t *testing.T, spoil func(rows *bbolt.Bucket, key []byte) error, keys ...int) *Store {
	t.Helper()
	dir := t.TempDir()
	s := openStore(t, dir)
	for i := range 10 {
		put(t, s, Settings, fmt.Sprint(i), fmt.Sprint("value ", i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, dir, func(tx *bbolt.Tx) error {
		for _, key := range keys {
			if err := spoil(tx.Bucket([]byte(Settings)), []byte(fmt.Sprint(key))); err != nil {
				return err
			}
		}
		return nil
	})
	return openStore(t, dir)
}

func TestEveryFlippedBitOfAValueIsFound(t *testing.T) {
	t.Parallel()
	var sealed []byte
	s := damagedRows(t, func(rows *bbolt.Bucket, key []byte) error {
		sealed = bytes.Clone(rows.Get(key))
		return nil
	}, 3)
	for bit := range len(sealed) * 8 {
		spoiled := bytes.Clone(sealed)
		spoiled[bit/8] ^= 1 << (bit % 8)
		if _, err := unseal(s.keys.rows, spoiled, place(Settings, []byte("3"))); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d: %v", bit, err)
		}
	}
}

func TestDamageIsNamedAndStopsNothing(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(rows *bbolt.Bucket, key []byte) error
	}{
		{"bit flipped", func(rows *bbolt.Bucket, key []byte) error {
			value := bytes.Clone(rows.Get(key))
			value[rand.IntN(len(value))] ^= 1 << rand.IntN(8)
			return rows.Put(key, value)
		}},
		{"emptied", func(rows *bbolt.Bucket, key []byte) error { return rows.Put(key, nil) }},
		{"cut", func(rows *bbolt.Bucket, key []byte) error {
			return rows.Put(key, bytes.Clone(rows.Get(key)[:20]))
		}},
		{"of another row", func(rows *bbolt.Bucket, key []byte) error {
			return rows.Put(key, bytes.Clone(rows.Get([]byte("0"))))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := damagedRows(t, test.spoil, 3, 7)
			for i := range 10 {
				_, err := get(t, s, Settings, fmt.Sprint(i))
				if (i == 3 || i == 7) != errors.Is(err, ErrDamaged) {
					t.Errorf("row %d: %v", i, err)
				}
			}
			visited := 0
			err := s.View(func(tx *Tx) error {
				return tx.Range(Settings, Scan{}, func(_, _ []byte) error { visited++; return nil })
			})
			named, isDamage := errors.AsType[*DamagedError](err)
			if !isDamage || visited != 8 || fmt.Sprintf("%s", named.Keys) != "[3 7]" || named.Bucket != Settings {
				t.Errorf("range visited %d and gave %v", visited, err)
			}
			put(t, s, Settings, "3", "written again")
			if got, err := get(t, s, Settings, "3"); got != "written again" {
				t.Errorf("after writing again: %q, %v", got, err)
			}
		})
	}
}

// A value moved to another bucket under the same key is not accepted either.
func TestValuesAreBoundToTheirBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	put(t, s, Settings, "core", "text")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw(t, dir, func(tx *bbolt.Tx) error {
		value := bytes.Clone(tx.Bucket([]byte(Settings)).Get([]byte("core")))
		return tx.Bucket([]byte(Secrets)).Put([]byte("core"), value)
	})
	if _, err := get(t, openStore(t, dir), Secrets, "core"); !errors.Is(err, ErrDamaged) {
		t.Errorf("moved value: %v", err)
	}
}

// TestFlippedBitsAnywhere flips bits in the whole file. What comes back is the
// truth or an error, and the process lives.
func TestFlippedBitsAnywhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	want := map[string]string{}
	err := s.Update(t.Context(), func(tx *Tx) error {
		for i := range 300 {
			key := fmt.Sprintf("row-%03d", i)
			want[key] = strings.Repeat(key, 1+i%20)
			if err := tx.Put(Settings, []byte(key), []byte(want[key])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		bit := r.IntN(len(whole) * 8)
		spoiled := bytes.Clone(whole)
		spoiled[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(filepath.Join(dir, FileName), spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		checkSpoiled(t, dir, bit, want)
	}
}

func checkSpoiled(t *testing.T, dir string, bit int, want map[string]string) {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		return // it says so
	}
	defer s.Close()
	for key, value := range want {
		got, err := get(t, s, Settings, key)
		if err == nil && got != value {
			t.Errorf("bit %d: row %s reads as %q", bit, key, got)
		}
	}
	_ = s.Update(t.Context(), func(tx *Tx) error { return tx.Put(Settings, []byte("row-150"), []byte("new")) })
}

package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// model is what the store must look like: bucket → key → value.
type model map[Bucket]map[string]string

func (m model) clone() model {
	copied := model{}
	for bucket, rows := range m {
		copied[bucket] = maps.Clone(rows)
	}
	return copied
}

type row struct{ Key, Value string }

// scan is Range written the slow, obvious way.
func (m model) scan(bucket Bucket, s Scan) []row {
	keys := slices.Sorted(maps.Keys(m[bucket]))
	if s.Reverse {
		slices.Reverse(keys)
	}
	var rows []row
	for _, key := range keys {
		outside := s.From != nil && (!s.Reverse && key < string(s.From) || s.Reverse && key > string(s.From))
		if !outside && strings.HasPrefix(key, string(s.Prefix)) {
			rows = append(rows, row{key, m[bucket][key]})
		}
	}
	return rows
}

func scanned(tx *Tx, bucket Bucket, s Scan) (rows []row, err error) {
	err = tx.Range(bucket, s, func(key, value []byte) error {
		rows = append(rows, row{string(key), string(value)})
		return nil
	})
	return rows, err
}

var modelBuckets = []Bucket{Settings, Sites, Journal}

func randomKey(r *rand.Rand) []byte {
	alphabet := []byte{0, 'a', 'b', 0xff}
	key := make([]byte, 1+r.IntN(3))
	for i := range key {
		key[i] = alphabet[r.IntN(len(alphabet))]
	}
	return key
}

func randomScan(r *rand.Rand) Scan {
	s := Scan{Reverse: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		s.Prefix = randomKey(r)
	}
	if r.IntN(3) == 0 {
		s.From = append(bytes.Clone(s.Prefix), randomKey(r)...)
	}
	return s
}

// TestStoreIsAMap runs random transactions, some of which fail, with reopening in
// between, against a plain map.
func TestStoreIsAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			s := openStore(t, dir)
			want := model{Settings: {}, Sites: {}, Journal: {}}
			for range 90 {
				want = randomTransaction(t, r, s, want)
				checkScans(t, r, s, want)
				if r.IntN(20) == 0 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = openStore(t, dir)
				}
			}
		})
	}
}

// randomTransaction changes some rows; one in four takes everything back.
func randomTransaction(t *testing.T, r *rand.Rand, s *Store, before model) model {
	t.Helper()
	after := before.clone()
	errTakenBack := errors.New("taken back")
	fails := r.IntN(4) == 0
	err := s.Update(t.Context(), func(tx *Tx) error {
		for range 1 + r.IntN(8) {
			bucket, key := modelBuckets[r.IntN(len(modelBuckets))], randomKey(r)
			if r.IntN(3) == 0 {
				delete(after[bucket], string(key))
				if err := tx.Delete(bucket, key); err != nil {
					return err
				}
				continue
			}
			value := strings.Repeat("v", r.IntN(2000)) + fmt.Sprint(r.Uint64())
			after[bucket][string(key)] = value
			if err := tx.Put(bucket, key, []byte(value)); err != nil {
				return err
			}
		}
		got, err := scanned(tx, Settings, Scan{}) // a Tx sees its own writes
		if diff := cmp.Diff(after.scan(Settings, Scan{}), got); err != nil || diff != "" {
			return fmt.Errorf("inside: %w\n%s", err, diff)
		}
		if fails {
			return errTakenBack
		}
		return nil
	})
	if fails && errors.Is(err, errTakenBack) {
		return before
	}
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return after
}

func checkScans(t *testing.T, r *rand.Rand, s *Store, want model) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		for _, bucket := range modelBuckets {
			for _, scan := range []Scan{{}, {Reverse: true}, randomScan(r), randomScan(r), randomScan(r)} {
				got, err := scanned(tx, bucket, scan)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(want.scan(bucket, scan), got); diff != "" {
					return fmt.Errorf("%s %+v: %s", bucket, scan, diff)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRangeStops(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	for _, key := range []string{"a", "b", "c"} {
		put(t, s, Settings, key, key)
	}
	seen := ""
	errNo := errors.New("no")
	for _, end := range []error{ErrStop, errNo} {
		err := s.View(func(tx *Tx) error {
			return tx.Range(Settings, Scan{}, func(key, _ []byte) error {
				seen += string(key)
				if string(key) == "b" {
					return end
				}
				return nil
			})
		})
		if errors.Is(end, ErrStop) != (err == nil) {
			t.Errorf("callback gave %v, Range gave %v", end, err)
		}
	}
	if seen != "abab" {
		t.Errorf("visited %q", seen)
	}
}

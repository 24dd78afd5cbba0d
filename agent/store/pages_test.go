package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
)

// FuzzPages gives the walk and the search for loose rows any file.
func FuzzPages(f *testing.F) {
	f.Add([]byte{}, uint16(0), byte(0))
	f.Add(bytes.Repeat([]byte{1}, 3*testUnit), uint16(9), byte(2))
	whole := smallFile(f)
	f.Add(whole, uint16(0), byte(0))
	f.Add(whole[:len(whole)-testUnit], uint16(77), byte(4))
	k, err := newKeys(bytes.Repeat([]byte{7}, keySize))
	if err != nil {
		f.Fatal(err)
	}
	b, err := newBuilder(f.TempDir() + "/new.db") // no row ever gets there
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := b.drop(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, raw []byte, at uint16, flip byte) {
		raw = bytes.Clone(raw)
		if len(raw) > 0 {
			raw[int(at)%len(raw)] ^= flip
		}
		v := newSalvage(k, b)
		if err := v.file(image{file: bytes.NewReader(raw), size: int64(len(raw))}); err != nil {
			t.Error(err)
		}
		if len(v.origin) > 0 || v.authentic > 0 {
			t.Errorf("rows from nowhere: %v", v.origin)
		}
	})
}

// smallFile is a database of a few pages, sealed with another key than the fuzz
// target's: whatever its damage, no row of it may be believed.
func smallFile(f *testing.F) []byte {
	f.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	path := f.TempDir() + "/small.db"
	b, err := newBuilder(path)
	if err != nil {
		f.Fatal(err)
	}
	for range 40 {
		key, value := make([]byte, 1+r.IntN(20)), make([]byte, 60+r.IntN(300))
		for i := range key {
			key[i] = byte(r.Uint32())
		}
		value[0] = sealRow
		if err := b.replace(Buckets()[r.IntN(4)], key, value); err != nil {
			f.Fatal(err)
		}
	}
	if err := b.done(); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return raw[:min(len(raw), 16*testUnit)]
}

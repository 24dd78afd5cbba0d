package store_test

import (
	"fmt"
	"testing"

	"branchbot/agent/store"
)

// BenchmarkCompact makes a file small of which a tenth is in use.
func BenchmarkCompact(b *testing.B) {
	for _, mib := range []int{16, 128} {
		b.Run(fmt.Sprintf("%dMiB", mib), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := swollen(b, mib)
				b.StartTimer()
				if err := s.Compact(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// swollen is a store of rows of 1 KiB, nine of ten deleted.
func swollen(b *testing.B, mib int) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	for at := range uint64(mib) {
		for _, fill := range []bool{true, false} {
			err := s.Update(b.Context(), func(tx *store.Tx) error {
				for n := at << 10; n < (at+1)<<10; n++ {
					if fill {
						err = tx.Put(store.Settings, store.NumberKey(n), make([]byte, 950))
					} else if n%10 > 0 && at > 0 {
						err = tx.Delete(store.Settings, store.NumberKey(n-1<<10))
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return s
}

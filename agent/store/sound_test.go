package store

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"branchbot/internal/testkit/soak"
)

// What bbolt writes passes the walk: a whole file is never taken for a damaged one.
func TestWholeFilesAreNotPutTogetherAgain(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 13))
	for range soak.Times(t, 6) {
		dir := t.TempDir()
		w := &wreckage{now: map[string]string{}, ever: map[string][]string{}}
		for range 4 {
			s := openStore(t, dir)
			for range 8 {
				err := s.Update(t.Context(), func(tx *Tx) error {
					for range r.IntN(200) {
						bucket := []Bucket{Journal, Keys, Secrets}[r.IntN(3)]
						if err := w.change(tx, r, bucket); err != nil {
							return err
						}
						if r.IntN(100) > 0 {
							continue
						}
						for at := range w.now { // a bucket is emptied
							if emptied, key := splitPlace([]byte(at)); emptied == bucket && r.IntN(4) > 0 {
								delete(w.now, at)
								if err := tx.Delete(bucket, key); err != nil {
									return err
								}
							}
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := checkPages(filepath.Join(dir, FileName)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

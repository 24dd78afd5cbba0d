//go:build linux

package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

// TestDiskFails: an fsync fails and the kernel throws away what it could not
// write, while its memory still shows it. Nothing rests on that: after the
// failure, more writes and a power cut, all that was promised is there.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 2))
	refused, open := 0, map[string]string{} // what was not promised, though it may be there
	drive := powerfs.Start(t, powerfs.Options{Names: powerfs.Journaled})
	model := map[string]string{}
	for round := range soak.Times(t, 8) {
		s := openAt(t, store.Options{Dir: drive.Dir() + "/data"})
		found := rowsIn(t, s, store.Settings)
		for key, value := range open {
			if found[key] == value {
				model[key] = value
			}
		}
		clear(open)
		if diff := cmp.Diff(model, found); diff != "" {
			t.Fatalf("seed %d, round %d: -promised +found:\n%s", seed, round, diff)
		}
		put := func(n int) error {
			key := fmt.Sprint("row ", r.IntN(300))
			value := fmt.Sprint(round, " ", n, string(make([]byte, r.IntN(3000))))
			err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Put(store.Settings, []byte(key), []byte(value)) })
			if err == nil {
				model[key] = value
				delete(open, key)
				return nil
			}
			refused++
			open[key] = value
			return err
		}
		for n := range r.IntN(20) {
			if err := put(n); err != nil {
				t.Fatal(err)
			}
		}
		drive.Set(powerfs.Options{Names: powerfs.Journaled, FailingSync: 1 + r.IntN(2)}) // of the pages, or of the header
		if err := put(100); !fault.HasCode(err, "disk_failed") {
			t.Fatalf("seed %d: a failed fsync gave %v", seed, err)
		}
		drive.Set(powerfs.Options{Names: powerfs.Journaled})
		cut := r.IntN(2) == 0 // in the middle of what comes next
		if cut {
			drive.CutAfter(1 + r.IntN(12))
		}
		for n := range 1 + r.IntN(20) {
			if err := put(200 + n); err != nil && !cut {
				t.Fatalf("seed %d: the disk works again: %v", seed, err)
			} else if err != nil {
				break
			}
		}
		drive.Cut()
		_ = s.Close() // the power is gone
		drive.Remount(r.Uint64())
	}
	soak.Report(t, map[string]any{"failed_syncs": refused, "lost": 0})
}

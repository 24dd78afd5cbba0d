package space_test

import (
	"errors"
	"log/slog"
	"testing"

	"branchbot/agent/space"
	"branchbot/agent/store"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := disk.Space{Total: 100 << 30}
	w := space.New(space.Options{
		Store: s, Low: 800 << 20, Critical: 80 << 20, Logger: slog.New(slog.DiscardHandler),
		Measure: func(string) (disk.Space, error) { return found, nil },
	})
	for _, step := range []struct {
		free         int64 // MiB
		want         space.Level
		picture, run string // code of the refusal
	}{
		{5000, space.Ample, "", ""},
		{799, space.Low, "evidence_shed", ""},
		{850, space.Low, "evidence_shed", ""}, // not left at once
		{79, space.Critical, "evidence_shed", "disk_critical"},
		{85, space.Critical, "evidence_shed", "disk_critical"},
		{95, space.Low, "evidence_shed", ""},
		{901, space.Ample, "", ""},
		{850, space.Ample, "", ""},
		{0, space.Critical, "evidence_shed", "disk_critical"},
		{5000, space.Ample, "", ""},
	} {
		found.Free = step.free << 20
		if got := w.Level(); got != step.want {
			t.Errorf("%d MiB: %s, want %s", step.free, got, step.want)
		}
		if got := fault.Code(w.AdmitPicture()); got != step.picture {
			t.Errorf("%d MiB: a picture gets %q, want %q", step.free, got, step.picture)
		}
		if got := fault.Code(w.AdmitRun()); got != step.run {
			t.Errorf("%d MiB: a run gets %q, want %q", step.free, got, step.run)
		}
	}
}

// On a small disk the limits are shares of it; the database's own limit counts too.
func TestLimits(t *testing.T) {
	t.Parallel()
	if low, critical := space.Limits(256<<20, 64<<20, 8<<20); low != 1<<20 || critical != 256<<10 {
		t.Errorf("8 MiB: %d and %d", low, critical)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), MaxSize: 64 << 20, Reserve: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := space.New(space.Options{
		Store: s, Low: 256 << 20, Critical: 64 << 20, Database: 64 << 20, Logger: slog.New(slog.DiscardHandler),
		Measure: func(string) (disk.Space, error) { return disk.Space{Free: 1 << 40, Total: 1 << 40}, nil },
	})
	for n := 0; w.Level() != space.Critical; n++ {
		err := s.Update(t.Context(), func(tx *store.Tx) (err error) {
			for row := range 64 {
				err = errors.Join(err, tx.Put(store.Settings, store.NumberKey(uint64(64*n+row)), make([]byte, 16<<10)))
			}
			return err
		})
		if err != nil { // critical comes before anything is refused
			t.Fatalf("after %d MiB: %v", n, err)
		}
	}
}

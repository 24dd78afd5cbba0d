package schedules_test

import (
	"testing"
	"time"

	"branchbot/agent/schedules"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/scheduler"
)

func keyAt(schedule string, due time.Time) scheduler.Key {
	return scheduler.Key{Schedule: schedule, Rule: "30 2 * * * UTC", Local: due.Format("2006-01-02T15:04:05"), Due: due}
}

// Only the newest due time of a schedule is made up for, once, and only when a
// full disk was the reason.
func TestMadeUp(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	fired := schedules.NewFired(s, func(*store.Tx, scheduler.Key, string) error { return nil })
	first := time.Date(2026, 11, 23, 2, 30, 0, 0, time.UTC)
	second := first.AddDate(0, 0, 1)
	for _, missed := range []struct {
		schedule string
		due      time.Time
		reason   string
	}{
		{"night", first, "disk_critical"},
		{"night", second, "disk_critical"},
		{"off", first, "off"},
		{"later off", first, "disk_critical"},
		{"later off", second, "off"},
	} {
		if err := fired.Missed(t.Context(), keyAt(missed.schedule, missed.due), missed.reason); err != nil {
			t.Fatal(err)
		}
	}
	owed, err := fired.Owed(t.Context(), "disk_critical", "disk_full")
	if err != nil || len(owed) != 1 || owed[0] != keyAt("night", second) {
		t.Fatalf("owed %+v, %v", owed, err)
	}
	for _, want := range []string{"", "made_up"} {
		err := s.Update(t.Context(), func(tx *store.Tx) error { return schedules.MadeUp(tx, owed[0]) })
		if fault.Code(err) != want {
			t.Errorf("made up for with %v, want %q", err, want)
		}
	}
	if owed, err := fired.Owed(t.Context(), "disk_critical"); err != nil || len(owed) != 0 {
		t.Errorf("still owed: %+v, %v", owed, err)
	}
}

// Firings are forgotten by age and number; one that is young is never fired again.
func TestForgetFirings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 2, 30, 0, 0, time.UTC)
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	fired := schedules.NewFired(s, nil)
	old, young := keyAt("night", now), keyAt("night", now.AddDate(0, 0, 300))
	for _, key := range []scheduler.Key{old, young} {
		now = key.Due
		if fresh, err := fired.Fire(t.Context(), key); err != nil || !fresh {
			t.Fatal(fresh, err)
		}
	}
	now = now.AddDate(0, 0, 150)
	if err := fired.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[scheduler.Key]bool{young: false, old: true} {
		if fresh, err := fired.Fire(t.Context(), key); err != nil || fresh != want {
			t.Errorf("%s is fresh: %t (%v), want %t", key.Local, fresh, err, want)
		}
	}
}

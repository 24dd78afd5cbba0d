package schedules_test

import (
	"slices"
	"testing"
	"time"

	"branchbot/agent/schedules"
	"branchbot/agent/store"
	"branchbot/scheduler"
)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var night = scheduler.Key{Schedule: "night", Rule: "30 2 * * * Asia/Shanghai", Local: "2026-11-24T02:30:00", Due: time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)}

func TestAKeyFiresOnceOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	fired := schedules.NewFired(s, nil)
	for i, want := range []bool{true, false} {
		if got, err := fired.Fire(t.Context(), night); err != nil || got != want {
			t.Fatalf("fire %d: %v, %v; want %v", i, got, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fired = schedules.NewFired(open(t, dir), nil)
	if got, err := fired.Fire(t.Context(), night); err != nil || got {
		t.Errorf("fired again after a restart: %v, %v", got, err)
	}
	since, err := fired.Since(t.Context(), night.Schedule, night.Rule, night.Due.Add(time.Hour))
	if err != nil || !since.Equal(night.Due) {
		t.Errorf("owed since %v, %v; want the last due time %v", since, err, night.Due)
	}
}

func TestWhatWasFiredAndNotStartedIsReportedOnce(t *testing.T) {
	t.Parallel()
	var reported []string
	fired := schedules.NewFired(open(t, t.TempDir()), func(_ *store.Tx, key scheduler.Key, reason string) error {
		reported = append(reported, key.Local+" "+reason)
		return nil
	})
	if _, err := fired.Fire(t.Context(), night); err != nil {
		t.Fatal(err)
	}
	keys, err := fired.Unstarted(t.Context())
	if err != nil || !slices.Equal(keys, []scheduler.Key{night}) {
		t.Fatalf("unstarted %v, %v", keys, err)
	}
	for range 2 {
		if err := fired.Missed(t.Context(), night, scheduler.ReasonInterrupted); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{night.Local + " interrupted"}; !slices.Equal(reported, want) {
		t.Errorf("reported %v, want %v", reported, want)
	}
	if keys, err := fired.Unstarted(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("unstarted %v, %v; want none", keys, err)
	}
}

func TestAStartedKeyIsNeverMissed(t *testing.T) {
	t.Parallel()
	fired := schedules.NewFired(open(t, t.TempDir()), func(*store.Tx, scheduler.Key, string) error {
		t.Error("a started run was reported as missed")
		return nil
	})
	if _, err := fired.Fire(t.Context(), night); err != nil {
		t.Fatal(err)
	}
	if err := fired.Started(t.Context(), night); err != nil {
		t.Fatal(err)
	}
	if err := fired.Missed(t.Context(), night, scheduler.ReasonOff); err != nil {
		t.Fatal(err)
	}
}

package soak_test

import (
	"os"
	"path/filepath"
	"testing"

	"branchbot/internal/testkit/soak"
)

func TestShortUnlessAsked(t *testing.T) {
	for name, want := range map[string]int{"": 3, "12": 12} {
		t.Setenv("BRANCHBOT_SOAK", name)
		if got := soak.Times(t, 3); got != want {
			t.Errorf("BRANCHBOT_SOAK=%q: %d times, want %d", name, got, want)
		}
	}
}

func TestSeedIsRepeated(t *testing.T) {
	t.Setenv("BRANCHBOT_SEED", "")
	if soak.Seed(t) == soak.Seed(t) {
		t.Error("the same seed twice")
	}
	t.Setenv("BRANCHBOT_SEED", "18446744073709551615")
	if got := soak.Seed(t); got != 1<<64-1 {
		t.Errorf("seed %d", got)
	}
}

func TestReportIsOneLineEach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.jsonl")
	t.Setenv("BRANCHBOT_SOAK_REPORT", file)
	soak.Report(t, map[string]any{"kills": 1})
	soak.Report(t, map[string]any{"kills": 2})
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"failed":false,"kills":1,"test":"TestReportIsOneLineEach"}` + "\n" + `{"failed":false,"kills":2,"test":"TestReportIsOneLineEach"}` + "\n"
	if got := string(raw); got != want {
		t.Errorf("report\n%s\nwant\n%s", got, want)
	}
}

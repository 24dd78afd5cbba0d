// Package soak lets one test have two lengths: short in `make test`, and as long
// as `make soak` asks for.
//
//	for range soak.Times(t, 40) { … }
//	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
//	soak.Report(t, map[string]any{"cuts": n, "lost": 0, "corrupt": 0})
//
// tools/soak.sh sets the variables below; without them a test is short, its seed
// is random and its figures are only logged.
package soak

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Variables that the soak sets.
const (
	timesVariable  = "BRANCHBOT_SOAK"        // how many kills, cuts, schedules …
	seedVariable   = "BRANCHBOT_SEED"        // of a stage that is repeated
	reportVariable = "BRANCHBOT_SOAK_REPORT" // file that gets a line of JSON per test
)

// Times is how often the test does what it does: short, or what the soak asks for.
func Times(tb testing.TB, short int) int {
	tb.Helper()
	text := os.Getenv(timesVariable)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s=%q is no number of times", timesVariable, text)
	}
	return n
}

// Seed is the seed of the test's random numbers: the one asked for, else a random
// one. It is logged, so that a failure can be repeated.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			tb.Fatalf("%s=%q is no seed: %v", seedVariable, text, err)
		}
	}
	tb.Logf("%s=%d", seedVariable, seed)
	return seed
}

// Report tells the test's figures: in the log, and as one line of JSON in the
// soak's file. The names "test" and "failed" are added.
func Report(tb testing.TB, figures map[string]any) {
	tb.Helper()
	line := maps.Clone(figures)
	line["test"], line["failed"] = tb.Name(), tb.Failed()
	raw, err := json.Marshal(line)
	if err != nil {
		tb.Fatalf("encode figures: %v", err)
	}
	tb.Logf("figures %s", raw)
	if path := os.Getenv(reportVariable); path != "" {
		appendLine(tb, path, raw)
	}
}

// appendLine adds one line by a single write, so that tests side by side do not mix theirs.
func appendLine(tb testing.TB, path string, line []byte) {
	tb.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatalf("open the soak's report: %v", err)
	}
	_, err = file.Write(append(line, '\n'))
	if problem := file.Close(); err != nil || problem != nil {
		tb.Fatalf("write the soak's report: %v, %v", err, problem)
	}
}

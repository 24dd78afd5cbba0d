//go:build race

package binaries

// Race says whether the test runs under the race detector.
const Race = true

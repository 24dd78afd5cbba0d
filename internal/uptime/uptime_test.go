//go:build linux

package uptime_test

import (
	"testing"
	"time"

	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

func TestSinceIsNeverTooMuch(t *testing.T) {
	t.Parallel()
	now := uptime.Now()
	if now == nil {
		t.Fatal("this machine does not tell")
	}
	up := time.Duration(now.MS) * time.Millisecond
	for _, c := range []struct {
		name     string
		then     *wire.Uptime
		low, top time.Duration
	}{
		{"nothing known", nil, 0, 0},
		{"a record without a stamp", &wire.Uptime{}, 0, 0},
		{"just now", now, 0, time.Minute},
		{"an hour ago", &wire.Uptime{Boot: now.Boot, MS: now.MS - 3_600_000}, time.Hour, time.Hour + time.Minute},
		{"ahead of us", &wire.Uptime{Boot: now.Boot, MS: now.MS + 3_600_000}, 0, 0},
		{"before the last start", &wire.Uptime{Boot: "another", MS: 5}, up, up + time.Minute},
	} {
		if got := uptime.Since(c.then); got < c.low || got > c.top {
			t.Errorf("%s: %s, want %s to %s", c.name, got, c.low, c.top)
		}
	}
}

package engine_test

import (
	"context"
	"testing"
	"time"

	"branchbot/bots/host/hosttest"
	"branchbot/bots/pack"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

// A wait that a crash cut short is waited to its end, not again, and never for
// longer than the whole, whatever the date says.
func TestRestOfABackoff(t *testing.T) {
	t.Parallel()
	now := uptime.Now()
	if now == nil {
		t.Fatal("the machine does not tell")
	}
	for name, test := range map[string]struct {
		up   wire.Uptime
		long bool
	}{
		"it is over":              {wire.Uptime{Boot: now.Boot, MS: now.MS - time.Hour.Milliseconds()}, false},
		"it has just begun":       {*now, true},
		"a clock that went back":  {wire.Uptime{Boot: now.Boot, MS: now.MS + time.Hour.Milliseconds()}, true},
		"before the last restart": {wire.Uptime{Boot: "another", MS: 1}, now.MS < time.Minute.Milliseconds()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPack(t, "def run(input):\n  step('a', lambda: act('go'))\n")
			p.Manifest.Retry = pack.Retry{Attempts: 2, Backoff: time.Minute}
			w, h := &world{fail: map[string][]error{"go": {passing()}}}, &hosttest.Host{CutAfter: 2} // RESULT, TIMER
			start(t.Context(), p, w, h)
			journal := h.Journal()
			if len(journal) != 2 || journal[1].Kind != wire.RecordTimer {
				t.Fatalf("journal %+v", journal)
			}
			journal[1].Up = &test.up
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			start(ctx, p, w, (&hosttest.Host{}).WithJournal(journal))
			if waited := len(w.did) == 1; waited != test.long {
				t.Errorf("it waited: %t, want %t (did %v)", waited, test.long, w.did)
			}
		})
	}
}

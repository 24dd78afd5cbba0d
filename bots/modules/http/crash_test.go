package http_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/bank"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

// misfortunes are what the site does to one submission.
func misfortunes() []bank.Fault {
	return []bank.Fault{
		{},
		{Kind: bank.Cut, When: bank.After},
		{Kind: bank.Cut, When: bank.Before},
		{Kind: bank.Cut, When: bank.After, Reset: true},
		{Kind: bank.Error, When: bank.After},
		{Kind: bank.Error, When: bank.Before},
		{Kind: bank.Slow, DelayMS: 5},
	}
}

func hasty(t *testing.T) *counter {
	t.Helper()
	c := newCounter(t, bank.Listen{})
	c.pack = newPack(t, strings.NewReplacer("settle: 20ms", "settle: 1ms", "attempts: 1", "attempts: 10").Replace(manifest), script)
	return c
}

// Each record in turn is the last of its runner, before or after it is on disk,
// with each misfortune: the next runner ends with the one account.
func TestHTTPSubmitAtEveryRecord(t *testing.T) {
	t.Parallel()
	c := hasty(t)
	for _, fault := range misfortunes() {
		for cut := 1; ; cut++ {
			died := false
			for _, before := range []bool{false, true} {
				c.site.Reset()
				c.site.SetFault(fault)
				h := &hosttest.Host{Secrets: c.host.Secrets, CutAfter: cut, CutBefore: before}
				died = died || c.run(t.Context(), h).State != wire.Succeeded
				c.site.SetFault(bank.Fault{})
				last := h.Resume()
				if f := c.run(t.Context(), last); len(c.site.Records()) != 1 || f.State != wire.Succeeded || !strings.Contains(string(f.Output), c.site.Records()[0].No) {
					t.Fatalf("%+v, cut %d %t: %d records, run %s %+v\n%s", fault, cut, before, len(c.site.Records()), f.State, f.Exception, kinds(last.Journal()))
				}
			}
			if !died { // it has no record of that number
				break
			}
		}
	}
}

// die decides after which record the next runner's agent is gone, 0 for never.
func die(r *rand.Rand, h *hosttest.Host) {
	h.CutAfter, h.CutBefore = r.IntN(6), r.IntN(2) == 0
}

// Whatever dies at whatever record, and whatever the site does meanwhile: the run
// ends with the one account that the site has.
func TestHTTPSubmitSurvives(t *testing.T) {
	t.Parallel()
	seed, runs := soak.Seed(t), soak.Times(t, 120)
	r := rand.New(rand.NewPCG(seed, 13))
	c := hasty(t)
	troubles := misfortunes()
	kills, byProbe, double, lost := 0, 0, 0, 0
	for n := range runs {
		c.site.Reset()
		h := &hosttest.Host{Run: c.host.Run, Secrets: c.host.Secrets}
		for range 4 {
			c.site.SetFault(troubles[r.IntN(len(troubles))])
			die(r, h)
			if f := c.run(t.Context(), h); f.State == wire.Succeeded {
				break
			}
			kills++
			h = h.Resume()
		}
		c.site.SetFault(bank.Fault{})
		h = h.Resume()
		f := c.run(t.Context(), h)
		records := c.site.Records()
		if len(records) > 1 {
			double++
		}
		if f.State != wire.Succeeded || len(records) == 0 || !strings.Contains(string(f.Output), records[0].No) {
			lost++
		}
		if strings.Contains(kinds(h.Journal()), string(wire.RecordReconciled)) {
			byProbe++
		}
		if double+lost > 0 {
			t.Fatalf("seed %d, run %d: %d records, run %s %s %+v\n%s", seed, n, len(records), f.State, f.Output, f.Exception, kinds(h.Journal()))
		}
	}
	soak.Report(t, map[string]any{"runs": runs, "kills": kills, "resolved_by_probe": byProbe, "double": double, "lost": lost})
}

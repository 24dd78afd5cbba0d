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

// misfortune is what the site does to one submission.
func misfortune(r *rand.Rand) bank.Fault {
	kinds := []bank.Fault{
		{},
		{Kind: bank.Cut, When: bank.After},
		{Kind: bank.Cut, When: bank.Before},
		{Kind: bank.Cut, When: bank.After, Reset: true},
		{Kind: bank.Error, When: bank.After},
		{Kind: bank.Error, When: bank.Before},
		{Kind: bank.Slow, DelayMS: 5},
	}
	return kinds[r.IntN(len(kinds))]
}

// die decides after which record the next runner's agent is gone, 0 for never.
func die(r *rand.Rand, h *hosttest.Host) {
	h.CutAfter, h.CutBefore = r.IntN(6), r.IntN(2) == 0
}

// Whatever dies at whatever record, and whatever the site does meanwhile: the run
// ends with the one account that the site has.
func TestHTTPSubmitSurvivesEveryRecord(t *testing.T) {
	t.Parallel()
	seed, runs := soak.Seed(t), soak.Times(t, 120)
	r := rand.New(rand.NewPCG(seed, 13))
	c := newCounter(t, bank.Listen{})
	c.pack = newPack(t, strings.NewReplacer("settle: 20ms", "settle: 1ms", "attempts: 1", "attempts: 10").Replace(manifest), script)
	kills, byProbe, double, lost := 0, 0, 0, 0
	for n := range runs {
		c.site.Reset()
		h := &hosttest.Host{Run: c.host.Run, Secrets: c.host.Secrets}
		for range 4 {
			c.site.SetFault(misfortune(r))
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

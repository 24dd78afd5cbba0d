package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/wire"
)

// author writes random scripts: steps in steps, values from outside, acts that
// nothing records, decisions that depend on values.
type author struct {
	*rand.Rand
	out   strings.Builder
	names int
}

func (a *author) script() string {
	a.out.WriteString("def run(input):\n    out = []\n")
	a.block(1, 3)
	a.out.WriteString("    return {\"out\": out}\n")
	return a.out.String()
}

func (a *author) line(depth int, format string, args ...any) {
	fmt.Fprintf(&a.out, "%s"+format+"\n", append([]any{strings.Repeat("    ", depth)}, args...)...)
}

// block writes some statements into a function that has a list out.
func (a *author) block(depth, levels int) {
	for range 1 + a.IntN(3) {
		a.names++
		switch choice := a.IntN(6); {
		case choice < 2:
			a.line(depth, "out.append(outside(%q))", fmt.Sprint("x", a.IntN(3)))
		case choice == 2:
			a.line(depth, "out.append(now()[:4])")
		case choice == 3 && len(a.out.String()) > 60:
			a.line(depth, "if len(out) > 0 and str(out[-1])[-1:] in \"02468\":\n%sout.append(outside(out[-1]))", strings.Repeat("    ", depth+1))
		case levels > 0:
			fn := a.names
			a.line(depth, "def f%d():", fn)
			a.line(depth+1, "out = []")
			a.line(depth+1, "act(\"f%d\")", fn)
			a.block(depth+1, levels-1)
			a.line(depth+1, "return out")
			a.line(depth, "out.append(step(%q, f%d))", fmt.Sprint("s", a.IntN(3)), fn)
		}
	}
}

// A run that dies at any record, before or after it is on disk, and goes on in a
// new runner gives what the journal says, and does no finished step again.
func TestResumeAtEveryRecord(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		a := &author{Rand: rand.New(rand.NewPCG(seed, 7))}
		script := a.script()
		p := newPack(t, script)
		whole := &hosttest.Host{}
		f := start(t.Context(), p, &world{}, whole)
		if f.State != wire.Succeeded {
			t.Fatalf("seed %d: %+v\n%s", seed, f.Exception, script)
		}
		for cut := 1; cut <= len(whole.Journal()); cut++ {
			for _, before := range []bool{false, true} {
				w, h := &world{}, &hosttest.Host{CutAfter: cut, CutBefore: before}
				start(t.Context(), p, w, h)
				second := h.Resume()
				second.CutAfter = 1 + a.IntN(4) // and dies once more
				start(t.Context(), p, w, second)
				third := second.Resume()
				last := start(t.Context(), p, w, third)
				if last.State != wire.Succeeded {
					t.Fatalf("seed %d, cut %d %t: %+v\n%s", seed, cut, before, last.Exception, script)
				}
				acts := len(w.did)
				if replay := start(t.Context(), p, w, third.Resume()); string(replay.Output) != string(last.Output) || len(w.did) != acts {
					t.Fatalf("seed %d, cut %d: replay gave %s, not %s, %d acts more\n%s", seed, cut, replay.Output, last.Output, len(w.did)-acts, script)
				}
				onlyOnce(t, third.Journal())
			}
		}
	}
}

// onlyOnce: no step finishes twice, and no place is recorded twice.
func onlyOnce(t *testing.T, journal []wire.JournalRecord) {
	t.Helper()
	places, finished := map[wire.JournalKey]bool{}, map[string]bool{}
	for _, r := range journal {
		if places[r.Key] {
			t.Fatalf("%+v is recorded twice", r.Key)
		}
		places[r.Key] = true
		if r.Key.Call != "step" {
			if finished[r.Key.Step] {
				t.Fatalf("%+v comes after the step was finished", r.Key)
			}
			continue
		}
		if strings.Contains(string(r.Data), `"value"`) {
			if finished[r.Key.Step] {
				t.Fatalf("step %s finished twice", r.Key.Step)
			}
			finished[r.Key.Step] = true
		}
	}
}

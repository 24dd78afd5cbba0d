package torture

import (
	"math/rand/v2"
	"slices"
	"strings"

	"branchbot/agent/run"
)

// Victims of a blow.
const (
	Agent   = "agent"
	Runner  = "runner"
	Browser = "browser"
)

// Points are the named points at which torture kills: those of every write, and
// those of every journal record.
func Points() []string {
	return append([]string{"store.begin", "store.before_commit", "store.committed"}, run.Points()...)
}

// blow is one intended kill. Without a point it falls at a random moment.
type blow struct {
	victim  string
	point   string
	passing int // at which it falls
}

// plan deals out the blows: every second one at a random moment, the others at
// each named point in turn, with each victim in turn. A point that is not
// reached in time comes again at its next turn.
type plan struct {
	random  *rand.Rand
	victims []string
	pairs   []blow
	lanes   int // runs at once
	dealt   int
}

func newPlan(random *rand.Rand, points, victims []string, lanes int) *plan {
	p := &plan{random: random, victims: victims, lanes: lanes}
	for _, point := range points {
		for _, victim := range victims {
			p.pairs = append(p.pairs, blow{victim: victim, point: point})
		}
	}
	random.Shuffle(len(p.pairs), func(i, j int) { p.pairs[i], p.pairs[j] = p.pairs[j], p.pairs[i] })
	return p
}

func (p *plan) next() blow {
	turn := p.dealt / 2
	p.dealt++
	if p.dealt%2 == 1 || len(p.pairs) == 0 {
		return blow{victim: p.victims[turn%len(p.victims)]}
	}
	b := p.pairs[turn%len(p.pairs)]
	b.passing = 1 + p.random.IntN(p.lanes) // a run passes most points of the journal once,
	if strings.HasPrefix(b.point, "store.") {
		b.passing = 1 + p.random.IntN(10*p.lanes) // and those of the store with every record
	}
	return b
}

// covered is what was reached: point → victims killed there.
type covered map[string][]string

func (c covered) add(b blow) {
	if b.point != "" && !slices.Contains(c[b.point], b.victim) {
		c[b.point] = append(c[b.point], b.victim)
	}
}

package torture

import (
	"math/rand/v2"
	"slices"

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
	victim string
	point  string
}

// plan deals out the blows: every second one at a random moment, the others at
// each named point in turn, with each victim in turn. A point that is not
// reached in time comes again at its next turn.
type plan struct {
	random  *rand.Rand
	victims []string
	pairs   []blow
	dealt   int
}

func newPlan(random *rand.Rand, points, victims []string) *plan {
	p := &plan{random: random, victims: victims}
	for _, point := range points {
		for _, victim := range victims {
			p.pairs = append(p.pairs, blow{victim, point})
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
	return p.pairs[turn%len(p.pairs)]
}

// covered is what was reached: point → victims killed there.
type covered map[string][]string

func (c covered) add(b blow) {
	if b.point != "" && !slices.Contains(c[b.point], b.victim) {
		c[b.point] = append(c[b.point], b.victim)
	}
}

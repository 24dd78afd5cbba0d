package torture

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"branchbot/internal/processes"
)

// prey are the processes below an agent that may be killed.
type prey struct {
	all      []processes.Process // the agent's whole tree
	runners  []processes.Process
	browsers []processes.Process
	keepers  []processes.Process // each between a runner and its browser
}

// hunt finds runners and browsers below the agent. Chromium's own children are
// no prey: with the browser they end, without it nothing of ours sees them.
func hunt(agent int) (prey, error) {
	tree, err := processes.Tree(agent)
	if err != nil {
		return prey{}, fmt.Errorf("look for runners: %w", err)
	}
	found := prey{all: tree}
	for _, p := range tree {
		switch {
		case p.Parent == agent && slices.Contains(p.Args, "__runner"):
			found.runners = append(found.runners, p)
		case slices.Contains(p.Args, "__browser"):
			found.keepers = append(found.keepers, p)
		case slices.Contains(p.Args, "--remote-debugging-pipe") && !slices.ContainsFunc(p.Args, isChildType):
			found.browsers = append(found.browsers, p)
		}
	}
	return found, nil
}

func isChildType(arg string) bool { return strings.HasPrefix(arg, "--type=") }

// killAll kills the processes and returns how many were still there.
func killAll(victims []processes.Process) int {
	killed := 0
	for _, v := range victims {
		if p, err := os.FindProcess(v.PID); err == nil && p.Kill() == nil {
			killed++
		}
	}
	return killed
}

// graveyard remembers what must be gone: the trees of agents that were killed.
type graveyard struct {
	buried []grave
	left   []processes.Process // that were found alive too long afterwards
}

type grave struct {
	processes []processes.Process
	since     time.Time
}

// rest is how long what was below a killed process may take to end.
const rest = 10 * time.Second

func (g *graveyard) bury(dead []processes.Process) {
	g.buried = append(g.buried, grave{dead, time.Now()})
}

// visit forgets the graves whose dead are gone, and notes those that have
// outlived their rest.
func (g *graveyard) visit() error {
	kept := g.buried[:0]
	for _, old := range g.buried {
		alive, err := processes.Alive(old.processes)
		if err != nil {
			return fmt.Errorf("look for what is left: %w", err)
		}
		switch {
		case len(alive) == 0:
		case time.Since(old.since) > rest:
			g.left = append(g.left, alive...)
		default:
			old.processes = alive
			kept = append(kept, old)
		}
	}
	g.buried = kept
	return nil
}

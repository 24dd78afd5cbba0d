package torture

import (
	"context"
	"errors"
	"time"

	"branchbot/internal/processes"
)

// bury stops the agent in good order and returns the processes of ours that are
// still there afterwards. They are ended, for the person's sake.
func (t *Torture) bury(ctx context.Context) ([]processes.Process, error) {
	agent := t.house.agent
	found, err := hunt(agent.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	stopped := agent.stop()
	t.graves.bury(found.all)
	left, err := t.remaining(ctx)
	killAll(left)
	return left, errors.Join(stopped, err)
}

// remaining waits until nobody is left, at most for the rest that the dead are given.
func (t *Torture) remaining(ctx context.Context) ([]processes.Process, error) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for late := time.Now().Add(rest + time.Second); ; {
		if err := t.graves.visit(); err != nil {
			return nil, err
		}
		left, err := processes.Mentioning(t.o.Dir)
		if err != nil {
			return nil, err
		}
		buried, err := processes.Alive(t.graves.left)
		if err != nil {
			return nil, err
		}
		if len(left)+len(buried)+len(t.graves.buried) == 0 || time.Now().After(late) {
			return distinct(append(left, t.graves.left...)), nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return distinct(append(left, t.graves.left...)), nil
		}
	}
}

// distinct lists each process once.
func distinct(list []processes.Process) []processes.Process {
	var once []processes.Process
	seen := map[int]bool{}
	for _, p := range list {
		if !seen[p.PID] {
			once = append(once, p)
		}
		seen[p.PID] = true
	}
	return once
}

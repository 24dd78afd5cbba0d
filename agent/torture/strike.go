package torture

import (
	"context"
	"errors"
	"slices"
	"time"

	"branchbot/internal/processes"
)

// strikes deals blows until enough of them have killed, or ctx ends.
func (t *Torture) strikes(ctx context.Context) error {
	for int(t.kills.Load()) < t.o.Kills && ctx.Err() == nil && t.lanes.failed() == nil {
		if err := t.strike(ctx); err != nil {
			return err
		}
		if err := t.graves.visit(); err != nil {
			return err
		}
	}
	return nil
}

// strike waits for the next blow's moment, kills, and sees to it that an agent lives.
func (t *Torture) strike(ctx context.Context) error {
	agent, b := t.house.agent, t.due
	if t.due = nil; b == nil {
		next := t.plan.next()
		b = &next
		if b.point != "" {
			agent.arm(*b)
		}
	}
	held := t.await(ctx, agent, *b)
	if ctx.Err() != nil {
		agent.release()
		return nil
	}
	if b.point != "" && !held {
		b.point = "" // not reached in time: so it falls at a random moment
	}
	err := t.kill(agent, *b)
	agent.release()
	select {
	case <-agent.over:
		if b.victim != Agent {
			t.crashed = append(t.crashed, lastLine(t.o.log()))
		}
		return errors.Join(err, t.revive(context.WithoutCancel(ctx)))
	default:
		return err
	}
}

// patience is how many lengths of a run a blow waits for its point.
const patience = 3

// await waits for the moment: at the point, or uniformly over the length of a run
// that has to look its answer up.
func (t *Torture) await(ctx context.Context, agent *tortured, b blow) (held bool) {
	if b.point != "" {
		return agent.catch(ctx, patience*t.length)
	}
	timer := time.NewTimer(time.Duration(t.random.Int64N(int64(t.length+t.o.Settle) + 1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-agent.over:
	case <-ctx.Done():
	}
	return false
}

// kill kills the blow's victim. At a point all runners (or browsers) die, so that
// the one whose record is being written is among them; at a random moment one.
func (t *Torture) kill(agent *tortured, b blow) error {
	found, err := hunt(agent.cmd.Process.Pid)
	if err != nil {
		return err
	}
	dead := 0
	switch b.victim {
	case Agent:
		err = agent.kill()
		dead = 1
		t.graves.bury(found.all)
	case Runner:
		dead = t.killSome(found.runners, b)
	case Browser:
		if b.point == "" {
			found.browsers = append(found.browsers, found.keepers...)
		}
		dead = t.killSome(found.browsers, b)
	}
	if dead == 0 {
		return err
	}
	t.kills.Add(1)
	t.killed[b.victim] += dead
	t.covered.add(b)
	return err
}

func (t *Torture) killSome(victims []processes.Process, b blow) int {
	if b.point == "" && len(victims) > 1 {
		chosen := t.random.IntN(len(victims))
		victims = slices.Clone(victims[chosen : chosen+1])
	}
	t.graves.bury(victims)
	return killAll(victims)
}

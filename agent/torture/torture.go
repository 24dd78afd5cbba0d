package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"branchbot/agent/control"
	"branchbot/internal/fault"
)

// ErrUsedUp is what Options.Inputs answers when there are no more.
var ErrUsedUp = fault.New(fault.Usage, "inputs_used_up", "there are no more inputs")

// Options say what is tortured, and how long.
type Options struct {
	Dir     string           // data folder, made by Prepare
	Agent   []string         // command of the tortured agent
	Env     []string         // its environment
	Secrets []control.Secret // that the pack needs
	// Inputs asks for run n, from 1, with a business key of its own; ErrUsedUp ends the runs.
	Inputs func(n int) (control.Trigger, error)
	// Records are the records that the site holds now, each as the parts of its key.
	Records func(context.Context) ([]Record, error)
	Own     bool // the site holds nobody's records but ours: one that is no run's is a loss
	Kills   int
	Seed    uint64
	Lanes   int           // runs at once
	Browser bool          // the pack drives a browser, which is killed too
	Settle  time.Duration // longest of the pack's submits: a run that is looked up lasts as much longer
	Limit   time.Duration // a run's own, which none may outlast once the killing is over
}

// Torture is one session.
type Torture struct {
	o      Options
	random *rand.Rand
	plan   *plan
	due    *blow // for which the agent was armed when it started
	house  *house
	lanes  *lanes
	length time.Duration // of an undisturbed run
	graves graveyard
	began  time.Time

	kills   atomic.Int64
	killed  map[string]int
	crashed []string // last words of agents that ended though nobody had killed them
	covered covered
}

// New makes a session; nothing runs yet.
func New(o Options) *Torture {
	t := &Torture{
		o: o, random: rand.New(rand.NewPCG(o.Seed, 0)), house: newHouse(), began: time.Now(),
		killed: map[string]int{}, covered: covered{},
	}
	victims := []string{Agent, Runner}
	if o.Browser {
		victims = append(victims, Browser)
	}
	t.plan = newPlan(t.random, Points(), victims, o.Lanes)
	t.lanes = &lanes{o: o, house: t.house, told: map[string]bool{}}
	return t
}

// Progress is one line about how far it is.
func (t *Torture) Progress() string {
	return fmt.Sprintf("%d of %d kills, %d runs asked for, %s", t.kills.Load(), t.o.Kills, t.lanes.count(), time.Since(t.began).Round(time.Second))
}

// Run tortures until the kills are done or ctx ends, lets every run come to its
// end, and counts. What it found is in the figures, also when it was interrupted;
// an error means that there are none.
func (t *Torture) Run(ctx context.Context) (Figures, error) {
	before, err := t.o.Records(ctx)
	if err != nil {
		return Figures{}, fmt.Errorf("ask the site for its records: %w", err)
	}
	if err := t.awake(ctx); err != nil {
		return Figures{}, err
	}
	calm := context.WithoutCancel(ctx) // once begun it ends in good order
	problem := t.inflict(ctx)
	problem = errors.Join(problem, t.settle(calm))
	left, err := t.bury(calm)
	if problem = errors.Join(problem, err); problem != nil {
		return Figures{}, problem
	}
	after, err := t.o.Records(calm)
	if err != nil {
		return Figures{}, fmt.Errorf("ask the site for its records: %w", err)
	}
	figures, err := t.audit(calm, before, after)
	if err != nil {
		return Figures{}, err
	}
	t.complete(&figures, left)
	figures.Interrupted = ctx.Err() != nil
	return figures, nil
}

// awake starts the agent for the first time, undisturbed, and gives it what the
// pack needs.
func (t *Torture) awake(ctx context.Context) error {
	agent, _, err := t.o.start(ctx, blow{})
	if err != nil {
		return err
	}
	t.house.moveIn(agent)
	client := agent.client
	for _, secret := range t.o.Secrets {
		if _, err := client.SetSecret(ctx, secret); err != nil {
			return errors.Join(fmt.Errorf("set secret %s: %w", secret.Name, err), agent.kill())
		}
	}
	return nil
}

// revive brings an agent to life on the folder, armed for the next blow. One that
// is to die before it even listens does, and the next one comes.
func (t *Torture) revive(ctx context.Context) error {
	for {
		b := t.plan.next()
		agent, held, err := t.o.start(ctx, b)
		if err == nil && held {
			err = t.kill(agent, b)
			agent.release()
			if b.victim == Agent {
				if err != nil {
					return err
				}
				continue
			}
			b = blow{victim: b.victim} // nobody to kill was there yet
			_, late := agent.ready(ctx, t.o)
			err = errors.Join(err, late)
		}
		if err != nil {
			return err
		}
		t.due = &b
		t.house.moveIn(agent)
		return nil
	}
}

// inflict learns how long a run takes, then kills while the lanes work.
func (t *Torture) inflict(ctx context.Context) error {
	if err := t.learn(ctx); err != nil {
		return err
	}
	stop := make(chan struct{})
	following, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var working sync.WaitGroup
	for range t.o.Lanes {
		working.Go(func() { t.lanes.work(following, stop) })
	}
	err := t.strikes(ctx)
	close(stop)
	over := time.AfterFunc(t.o.Limit, leave) // those that hang on are lost, as the audit finds
	defer over.Stop()
	if err != nil { // no agent any more: nobody to wait for
		leave()
	}
	working.Wait()
	return errors.Join(err, t.lanes.failed())
}

// learning is how many undisturbed runs each lane has; the first warms up.
const learning = 3

// learn takes the time of undisturbed runs, as many at once as there will be: the
// random moments fall over the longest.
func (t *Torture) learn(ctx context.Context) error {
	took := make([]time.Duration, t.o.Lanes)
	var working errgroup.Group
	for lane := range t.o.Lanes {
		working.Go(func() error {
			for range learning {
				begun := time.Now()
				if _, err := t.lanes.once(ctx); err != nil && ctx.Err() == nil {
					return err
				}
				took[lane] = time.Since(begun)
			}
			return nil
		})
	}
	err := working.Wait()
	t.length = slices.Max(took)
	return err
}

// settle waits for the runs that nobody follows: those whose agent died before it
// could acknowledge them.
func (t *Torture) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.o.Limit)
	defer cancel()
	client, _ := t.house.now()
	views, err := client.Runs(ctx, control.RunsQuery{Limit: 1 << 20})
	if err != nil {
		return fmt.Errorf("list runs: %w", err)
	}
	for _, view := range views {
		if resting(view.State) {
			continue
		}
		if _, err := client.Await(ctx, view.Run); err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for %s: %w", view.Run, err)
		}
	}
	return nil
}

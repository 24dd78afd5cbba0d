package main

import (
	"errors"
	"fmt"

	"branchbot/agent"
	"branchbot/agent/control"
	"branchbot/agent/run"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

type runCmd struct {
	Pack string `arg:"" optional:"" help:"Folder, pack file, or the name of a bot that came with branchbot."`
	inputs
	Resume string `help:"Go on with an interrupted run." placeholder:"RUN"`
	Headed bool   `help:"Show the browser window."`
	As     string `help:"Who starts the run." placeholder:"NAME"`
	JSON   bool   `help:"Print JSON."`
	device
}

func (c runCmd) Run(inv *cli.Invocation) error {
	if (c.Pack == "") == (c.Resume == "") {
		return fault.New(fault.Usage, "usage", "name a PACK, or a run with --resume").WithHint("branchbot run --help")
	}
	t := control.Trigger{Trigger: run.TriggerManual, By: person(c.As), Headed: c.Headed}
	if c.Resume != "" {
		asked, err := c.askAgent(inv)
		if asked || err != nil {
			return err
		}
	} else if err := errors.Join(choose(c.Pack, &t), c.fill(&t)); err != nil {
		return err
	}
	a, err := c.open(inv, true)
	if err != nil {
		return err
	}
	view, err := c.execute(inv, a, t)
	err = errors.Join(err, a.Close())
	if err != nil {
		return err
	}
	return show(inv, view)
}

// askAgent lets a running agent go on with the run; false when there is none.
func (c runCmd) askAgent(inv *cli.Invocation) (asked bool, err error) {
	config, _, err := c.load(inv)
	if err != nil {
		return false, err
	}
	client, err := dial(inv.Ctx, config.Data)
	if errors.Is(err, control.ErrNoAgent) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	view, err := client.Resume(inv.Ctx, control.Resume{Run: c.Resume, Headed: c.Headed})
	if err != nil {
		return true, err
	}
	return true, show(inv, view)
}

func (c runCmd) execute(inv *cli.Invocation, a *agent.Agent, t control.Trigger) (view wire.Run, err error) {
	updates, leave := a.Watch("")
	defer leave()
	var latest wire.Run
	err = inv.Progress(func() string {
		select {
		case latest = <-updates:
		default:
		}
		return progress(latest)
	}, func() error {
		if c.Resume != "" {
			view, err = a.Resume(inv.Ctx, control.Resume{Run: c.Resume, Headed: c.Headed})
		} else {
			view, err = a.RunNow(inv.Ctx, t)
		}
		return err
	})
	return view, err
}

// progress is one line about where a run stands.
func progress(view wire.Run) string {
	if len(view.Steps) == 0 {
		return "starting…"
	}
	last := view.Steps[len(view.Steps)-1]
	return fmt.Sprintf("%s: %s (%s)", view.Bot, last.Name, last.State)
}

package main

import (
	"context"
	"io"

	"branchbot/agent/control"
	"branchbot/agent/run"
	"branchbot/internal/cli"
	"branchbot/internal/wire"
)

type triggerCmd struct {
	Bot string `arg:"" help:"Name of a bot, or a folder or pack file where unsigned packs may run."`
	inputs
	Wait bool   `help:"Wait until the run is over or needs a person."`
	As   string `help:"Who starts the run." placeholder:"NAME"`
	JSON bool   `help:"Print JSON."`
	device
}

func (c triggerCmd) Run(inv *cli.Invocation) error {
	t := control.Trigger{Trigger: run.TriggerAPI, By: person(c.As)}
	if err := choose(c.Bot, &t); err != nil {
		return err
	}
	if err := c.fill(&t); err != nil {
		return err
	}
	config, _, err := c.load(inv)
	if err != nil {
		return err
	}
	agent, err := dial(inv.Ctx, config.Data)
	if err != nil {
		return err
	}
	view, err := agent.Trigger(inv.Ctx, t)
	if err == nil && c.Wait {
		view, err = await(inv, agent, view.Run)
	}
	if err != nil {
		return err
	}
	return show(inv, view)
}

func await(inv *cli.Invocation, agent *control.Client, id string) (view wire.Run, err error) {
	text := func() string {
		now, err := agent.Run(inv.Ctx, id)
		if err != nil {
			return "waiting…"
		}
		return progress(now)
	}
	err = inv.Progress(text, func() error {
		view, err = agent.Await(inv.Ctx, id)
		return err
	})
	return view, err
}

type cancelCmd struct {
	RunID string `arg:"" name:"run" help:"The run."`
	As    string `help:"Who cancels." placeholder:"NAME"`
	JSON  bool   `help:"Print JSON."`
	device
}

func (c cancelCmd) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		view, err := op.Cancel(ctx, control.Cancel{Run: c.RunID, By: person(c.As)})
		if err != nil {
			return err
		}
		return inv.Print(view, func(w io.Writer) { describe(w, view) })
	})
}

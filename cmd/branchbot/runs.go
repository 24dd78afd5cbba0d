package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"branchbot/agent/control"
	"branchbot/internal/cli"
	"branchbot/internal/wire"
)

type runsCmd struct {
	RunID string `arg:"" optional:"" name:"run" help:"Show this run."`
	Limit int    `help:"How many to list." default:"50"`
	JSON  bool   `help:"Print JSON; one line per run when listing."`
	device
}

func (c runsCmd) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		if c.RunID == "" {
			return c.list(ctx, inv, op)
		}
		view, err := op.Run(ctx, c.RunID)
		if err != nil {
			return err
		}
		return inv.Print(view, func(w io.Writer) { describe(w, view) })
	})
}

func (c runsCmd) list(ctx context.Context, inv *cli.Invocation, op control.Operator) error {
	views, err := op.Runs(ctx, control.RunsQuery{Limit: c.Limit})
	if err != nil {
		return err
	}
	if !inv.JSON {
		return table(inv.Out, views)
	}
	for _, view := range views {
		if err := inv.PrintJSON(view); err != nil {
			return err
		}
	}
	return nil
}

func table(w io.Writer, views []wire.Run) error {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tBOT\tSTATE\tSTARTED\tBY")
	for _, v := range views {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.Run, v.Bot, v.State, v.Started.Local().Format("2006-01-02 15:04:05"), v.By.Person)
	}
	return t.Flush()
}

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// show prints a run and returns the error that gives its exit code.
func show(inv *cli.Invocation, view wire.Run) error {
	if err := inv.Print(view, func(w io.Writer) { describe(w, view) }); err != nil {
		return err
	}
	return outcome(view)
}

// outcome maps how a run stands to the exit codes of the CLI reference.
func outcome(view wire.Run) error {
	switch view.State {
	case wire.Succeeded, wire.Queued, wire.Running:
		return nil
	case wire.WaitingOn, wire.InDoubt:
		return fault.New(fault.Waiting, string(view.State), "the run %s needs a person", view.Run).
			WithHint("branchbot answer %s --as NAME (--submitted REFERENCE | --not-submitted | --cancel); a running agent then goes on by itself, else: branchbot run --resume %s", view.Run, view.Run)
	case wire.Cancelled:
		return fault.New(fault.Interrupted, "cancelled", "the run %s was cancelled", view.Run).
			WithHint("nothing of it goes on; start it again if it is still wanted")
	}
	e := view.Exception
	if e == nil {
		return fault.New(fault.Application, "failed", "the run %s failed", view.Run)
	}
	class := fault.Class(e.Class)
	switch {
	case class != "":
	case e.Kind == "business":
		class = fault.Business
	default:
		class = fault.Application
	}
	err := fault.New(class, e.Code, "%s", e.Message)
	err.Hint = e.Hint
	return err
}

func describe(w io.Writer, view wire.Run) {
	fmt.Fprintf(w, "%s  %s %s  %s\n", view.Run, view.Bot, view.Version, view.State)
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	for _, s := range view.Steps {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%d ms\n", s.Kind, s.Name, s.State, s.MS)
	}
	for _, s := range view.Submits {
		fmt.Fprintf(t, "  submit\t%s\t%s\t%d fields, guard %s, %.1f ms\n", s.Key, s.State, s.Fields, s.Guard, s.GuardMS)
		for _, m := range s.Mismatches {
			fmt.Fprintf(t, "    %s\t%s\tmeant %s\twould have sent %s\n", m.Field, m.Code, m.Meant, m.Actual)
		}
	}
	_ = t.Flush()
	if e := view.Exception; e != nil {
		fmt.Fprintf(w, "  %s exception %s: %s\n", e.Kind, e.Code, e.Message)
		if e.Where != "" {
			fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(e.Where, "\n", "\n    "))
		}
	}
	if len(view.Output) > 0 && string(view.Output) != "null" {
		fmt.Fprintf(w, "  result %s\n", view.Output)
	}
}

package main

import (
	"fmt"
	"io"
	"slices"

	"branchbot/bots/pack"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type checkCmd struct {
	Dir  string `arg:"" help:"Folder of the pack, or a pack file."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// findings is what check prints with --json.
type findings struct {
	OK       bool           `json:"ok"`
	Problems []pack.Problem `json:"problems"`
}

// Run prints every problem; errors among them make it exit 2.
func (c *checkCmd) Run(inv *cli.Invocation) error {
	problems, err := pack.Examine(c.Dir)
	if err != nil {
		return err
	}
	failure := wrong(problems)
	result := findings{OK: failure == nil, Problems: append([]pack.Problem{}, problems...)}
	if err := inv.Print(result, func(w io.Writer) { printProblems(w, problems) }); err != nil {
		return err
	}
	return failure
}

func printProblems(w io.Writer, problems []pack.Problem) {
	for _, p := range problems {
		fmt.Fprintf(w, "%s: %s [%s]\n", p.Severity, p, p.Code)
		if p.Hint != "" {
			fmt.Fprintf(w, "  %s\n", p.Hint)
		}
	}
	if len(problems) == 0 {
		fmt.Fprintln(w, "no problems found")
	}
}

// wrong is the error of a pack with errors; warnings are none.
func wrong(problems []pack.Problem) error {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p pack.Problem) bool { return p.Severity != pack.Error })
	switch len(problems) {
	case 0:
		return nil
	case 1:
		return fault.New(fault.Usage, "pack_invalid", "%s", problems[0]).WithHint("%s", problems[0].Hint)
	}
	return fault.New(fault.Usage, "pack_invalid", "%d errors, the first: %s", len(problems), problems[0]).WithHint("%s", problems[0].Hint)
}

package main

import (
	"context"
	"io"
	"strings"

	"branchbot/agent/control"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type answerCmd struct {
	RunID        string   `arg:"" name:"run" help:"The run."`
	As           string   `help:"Who decides." required:"" placeholder:"PERSON"`
	Submitted    string   `help:"The form is in the business system, under this reference." placeholder:"REF"`
	NotSubmitted bool     `help:"The form is not in the business system."`
	Field        []string `help:"A corrected field of a reviewed document." placeholder:"NAME=VALUE" sep:"none"`
	Cancel       bool     `help:"Nothing more shall be done."`
	JSON         bool     `help:"Print JSON."`
	device
}

func (c answerCmd) Run(inv *cli.Invocation) error {
	fields := map[string]string{}
	for _, pair := range c.Field {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fault.New(fault.Usage, "answer_invalid", "--field %q is not NAME=VALUE", pair)
		}
		fields[name] = value
	}
	answer := control.Answer{
		Run: c.RunID, By: person(c.As), Submitted: c.Submitted, NotSubmitted: c.NotSubmitted, Fields: fields, Cancel: c.Cancel,
	}
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		view, err := op.Answer(ctx, answer)
		if err != nil {
			return err
		}
		return inv.Print(view, func(w io.Writer) { describe(w, view) })
	})
}

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"branchbot/agent/control"
	"branchbot/internal/cli"
)

type outboxCmd struct {
	JSON bool `help:"Print JSON."`
	device
}

func (c outboxCmd) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		state, err := op.Outbox(ctx, control.Nothing{})
		if err != nil {
			return err
		}
		return inv.Print(state, func(w io.Writer) {
			fmt.Fprintf(w, "head office: %s\nwaiting: %d", state.HeadOffice, state.Waiting)
			if state.Oldest != nil {
				fmt.Fprintf(w, ", the oldest since %s", state.Oldest.Local().Format(time.DateTime))
			}
			fmt.Fprintf(w, "\nacknowledged: up to %d of epoch %s\n", state.AcknowledgedSeq, state.Epoch)
		})
	})
}

type enrollCmd struct {
	HeadOffice string `help:"Address of head office." required:"" placeholder:"URL"`
	Token      string `help:"One-time token of head office." required:""`
	JSON       bool   `help:"Print JSON."`
	device
}

func (c enrollCmd) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		told, err := op.Enroll(ctx, control.Enroll{HeadOffice: c.HeadOffice, Token: c.Token})
		if err != nil {
			return err
		}
		return inv.Print(told, func(w io.Writer) {
			fmt.Fprintf(w, "enrolled as %s at %s, certificate until %s\n", told.Device, told.HeadOffice, told.Expires.Local().Format(time.DateOnly))
		})
	})
}

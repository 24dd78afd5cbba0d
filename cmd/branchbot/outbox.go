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
			fmt.Fprintf(w, "\nacknowledged: up to %d of epoch %s\ndisk: %s\n", state.AcknowledgedSeq, state.Epoch, diskText(state.Disk))
			tellLine(w, state)
		})
	})
}

// tellLine says what is out of the ordinary.
func tellLine(w io.Writer, state control.Outbox) {
	for _, former := range state.FormerEpochs {
		fmt.Fprintf(w, "former epoch %s: %d waiting\n", former.Epoch, former.Waiting)
	}
	for _, event := range state.Events {
		fmt.Fprintf(w, "%s %s: %s\n", event.At.Local().Format(time.DateTime), event.Kind, event.Detail)
	}
	if h := state.Halted; h != nil {
		fmt.Fprintf(w, "not let in by head office since %s: %s (%s)\n→ %s\n", h.Since.Local().Format(time.DateTime), h.Message, h.Code, h.Hint)
	}
}

// diskText says what a level of disk space means.
func diskText(level string) string {
	meaning := map[string]string{
		"low":      "low: no new pictures are kept",
		"critical": "critical: no new runs begin, results are kept",
		"full":     "full: no new runs begin, results are kept in the space that was held back",
	}
	if text, known := meaning[level]; known {
		return text + "; free disk space on the drive of the data folder"
	}
	return level
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

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"branchbot/agent/control"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type secretCmd struct {
	Set    secretSet    `cmd:"" help:"Store a secret; its value is read from standard input."`
	List   secretList   `cmd:"" help:"List names and sites; never values."`
	Delete secretDelete `cmd:"" help:"Forget a secret."`
}

// maxSecret bounds a value: a password or a small JSON object.
const maxSecret = 64 << 10

type secretSet struct {
	Name string `arg:"" help:"Name, as in the pack."`
	Site string `help:"The site that may receive it." required:"" placeholder:"SITE"`
	JSON bool   `help:"Print JSON."`
	device
}

func (c secretSet) Run(inv *cli.Invocation) error {
	raw, err := io.ReadAll(io.LimitReader(inv.In, maxSecret+1))
	if err != nil {
		return fmt.Errorf("read secret: %w", err)
	}
	value := strings.TrimRight(string(raw), "\r\n")
	if value == "" || len(raw) > maxSecret {
		return fault.New(fault.Usage, "secret_empty", "the secret on standard input is empty or over %d bytes", maxSecret).
			WithHint(`echo '{"username": "…", "password": "…"}' | branchbot secret set %s --site %s`, c.Name, c.Site)
	}
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		if _, err := op.SetSecret(ctx, control.Secret{Name: c.Name, Site: c.Site, Value: value}); err != nil {
			return err
		}
		return inv.Print(control.Secret{Name: c.Name, Site: c.Site}, func(w io.Writer) { fmt.Fprintf(w, "secret %s set for %s\n", c.Name, c.Site) })
	})
}

type secretList struct {
	JSON bool `help:"Print JSON."`
	device
}

func (c secretList) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		secrets, err := op.Secrets(ctx, control.Nothing{})
		if err != nil {
			return err
		}
		return inv.Print(secrets, func(w io.Writer) {
			for _, s := range secrets {
				fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Site)
			}
		})
	})
}

type secretDelete struct {
	Name string `arg:"" help:"Name of the secret."`
	JSON bool   `help:"Print JSON."`
	device
}

func (c secretDelete) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		if _, err := op.DeleteSecret(ctx, c.Name); err != nil {
			return err
		}
		return inv.Print(control.Secret{Name: c.Name}, func(w io.Writer) { fmt.Fprintf(w, "secret %s forgotten\n", c.Name) })
	})
}

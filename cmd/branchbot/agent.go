package main

import (
	"errors"

	"branchbot/internal/cli"
)

type agentCmd struct {
	device
}

func (c agentCmd) Run(inv *cli.Invocation) error {
	a, err := c.open(inv, false)
	if err != nil {
		return err
	}
	return errors.Join(a.Serve(inv.Ctx), a.Close())
}

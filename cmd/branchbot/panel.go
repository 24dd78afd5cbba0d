package main

import (
	"fmt"
	"io"

	"branchbot/agent/control"
	"branchbot/internal/cli"
)

type panelCmd struct {
	JSON bool `help:"Print JSON."`
	device
}

func (c panelCmd) Run(inv *cli.Invocation) error {
	config, _, err := c.load(inv)
	if err != nil {
		return err
	}
	if _, err := dial(inv.Ctx, config.Data); err != nil {
		return err
	}
	door, err := control.ReadDoor(config.Data)
	if err != nil {
		return err
	}
	return inv.Print(map[string]string{"panel": door.Panel}, func(w io.Writer) { fmt.Fprintln(w, door.Panel) })
}

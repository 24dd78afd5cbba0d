package main

import (
	"fmt"
	"io"

	"branchbot/headoffice"
	"branchbot/headoffice/access"
	"branchbot/internal/cli"
)

type serveCmd struct {
	place
	Listen   string `help:"Address to listen on." placeholder:"HOST:PORT"`
	Database string `help:"Database (sqlite)." placeholder:"KIND"`
}

// Run serves until the first signal.
func (c *serveCmd) Run(inv *cli.Invocation) error {
	config, err := c.load(inv, map[string]string{"listen": c.Listen, "database": c.Database})
	if err != nil {
		return err
	}
	log := inv.Logger(config.Log.Level, config.Log.Format)
	ready := func(base string, parts *headoffice.Parts) error {
		link, err := headoffice.NewLink(inv.Ctx, parts.Store, base, access.Admin, actor().Person)
		if err != nil {
			return err
		}
		return inv.Print(map[string]string{"address": base, "console": link}, func(w io.Writer) {
			fmt.Fprintln(w, "console:", link)
		})
	}
	return headoffice.Serve(inv.Ctx, headoffice.Options{Config: config, Log: log, Ready: ready})
}

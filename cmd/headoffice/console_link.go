package main

import (
	"fmt"
	"io"

	"branchbot/headoffice"
	"branchbot/headoffice/access"
	"branchbot/internal/cli"
)

type consoleLinkCmd struct {
	place
	Role string `help:"Role of who enters: ${enum}." enum:"viewer,operator,reviewer,owner,risk,admin,auditor" default:"admin"`
	As   string `help:"Name of the person (not verified yet)." placeholder:"PERSON"`
	URL  string `help:"Address of the console, where it is not the one served last." name:"url" placeholder:"URL"`
}

// Run prints a link that works once.
func (c *consoleLinkCmd) Run(inv *cli.Invocation) (err error) {
	config, err := c.load(inv, nil)
	if err != nil {
		return err
	}
	db, err := headoffice.OpenStore(inv.Ctx, config.Data)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	base, person := c.URL, c.As
	if base == "" {
		base = headoffice.Address(config)
	}
	if person == "" {
		person = actor().Person
	}
	link, err := headoffice.NewLink(inv.Ctx, db, base, access.Role(c.Role), person)
	if err != nil {
		return err
	}
	return inv.Print(map[string]string{"console": link}, func(w io.Writer) { fmt.Fprintln(w, link) })
}

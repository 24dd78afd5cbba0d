package main

import (
	"context"
	"fmt"
	"io"

	"branchbot/agent/control"
	"branchbot/internal/cli"
)

type siteCmd struct {
	Set    siteSet    `cmd:"" help:"Bind a site name to an origin (on a device that is not enrolled)."`
	List   siteList   `cmd:"" help:"List the bound sites."`
	Delete siteDelete `cmd:"" help:"Unbind a site name."`
}

type siteSet struct {
	Name   string `arg:"" help:"Name, as in the pack."`
	Origin string `arg:"" help:"For example https://core.bank.example."`
	JSON   bool   `help:"Print JSON."`
	device
}

func (c siteSet) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		site := control.Site{Name: c.Name, Origin: c.Origin}
		if _, err := op.SetSite(ctx, site); err != nil {
			return err
		}
		return inv.Print(site, func(w io.Writer) { fmt.Fprintf(w, "site %s is %s\n", c.Name, c.Origin) })
	})
}

type siteList struct {
	JSON bool `help:"Print JSON."`
	device
}

func (c siteList) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		sites, err := op.Sites(ctx, control.Nothing{})
		if err != nil {
			return err
		}
		return inv.Print(sites, func(w io.Writer) {
			for _, s := range sites {
				fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Origin)
			}
		})
	})
}

type siteDelete struct {
	Name string `arg:"" help:"Name of the site."`
	JSON bool   `help:"Print JSON."`
	device
}

func (c siteDelete) Run(inv *cli.Invocation) error {
	return c.operate(inv, func(ctx context.Context, op control.Operator) error {
		if _, err := op.DeleteSite(ctx, c.Name); err != nil {
			return err
		}
		return inv.Print(control.Site{Name: c.Name}, func(w io.Writer) { fmt.Fprintf(w, "site %s unbound\n", c.Name) })
	})
}

package main

import (
	"fmt"
	"io"
	"os/user"

	"branchbot/configs"
	"branchbot/headoffice/store"
	"branchbot/internal/cli"
	"branchbot/internal/wire"
)

// place says which head office a command works on.
type place struct {
	Config string `help:"Configuration file." placeholder:"FILE"`
	Data   string `help:"Folder of database, keys and evidence." placeholder:"DIR"`
	JSON   bool   `help:"Print JSON."`
}

// load merges file, environment and flags.
func (p place) load(inv *cli.Invocation, flags map[string]string) (configs.HeadOffice, error) {
	overrides := map[string]any{}
	if p.Data != "" {
		overrides["data"] = p.Data
	}
	for key, value := range flags {
		if value != "" {
			overrides[key] = value
		}
	}
	config, _, err := configs.LoadHeadOffice(p.Config, inv.Getenv, overrides)
	return config, err
}

// actor is the person at this terminal, as the operating system knows them.
func actor() store.Actor {
	name := "unknown"
	if who, err := user.Current(); err == nil {
		name = who.Username
	}
	return store.Actor{Person: name, Kind: wire.ByOS}
}

type versionCmd struct{ JSON bool }

// Run prints the version.
func (versionCmd) Run(inv *cli.Invocation) error {
	return inv.Print(map[string]string{"version": version}, func(w io.Writer) { fmt.Fprintln(w, "headoffice", version) })
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"

	"branchbot/agent"
	"branchbot/agent/control"
	"branchbot/configs"
	"branchbot/internal/cli"
	"branchbot/internal/wire"
)

// device are the flags that say which data folder is meant.
type device struct {
	Config string `help:"Configuration file." type:"path" placeholder:"FILE"`
	Data   string `help:"Data folder." type:"path" placeholder:"DIR"`
}

func (d device) load(inv *cli.Invocation) (configs.Device, configs.Sources, error) {
	overrides := map[string]any{}
	if d.Data != "" {
		overrides["data"] = d.Data
	}
	return configs.LoadDevice(d.Config, inv.Getenv, overrides)
}

// open opens the data folder; quiet keeps the log to what goes wrong.
func (d device) open(inv *cli.Invocation, quiet bool) (*agent.Agent, error) {
	config, _, err := d.load(inv)
	if err != nil {
		return nil, err
	}
	level := config.Log.Level
	if quiet && level == "info" {
		level = "warn"
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown"
	}
	return agent.Open(inv.Ctx, agent.Options{
		Config: config, Executable: inv.Executable, Env: inv.Environ, Version: version, Hostname: hostname,
		Logger: inv.Logger(level, config.Log.Format), Notices: inv.Logger("info", config.Log.Format),
	})
}

// operate asks the running agent, else opens the data folder itself.
func (d device) operate(inv *cli.Invocation, act func(context.Context, control.Operator) error) error {
	config, _, err := d.load(inv)
	if err != nil {
		return err
	}
	client, err := dial(inv.Ctx, config.Data)
	if err == nil {
		return act(inv.Ctx, client)
	}
	if !errors.Is(err, control.ErrNoAgent) {
		return err
	}
	a, err := d.open(inv, true)
	if err != nil {
		return err
	}
	return errors.Join(act(inv.Ctx, a), a.Close())
}

// dial reaches the running agent, or gives control.ErrNoAgent.
func dial(ctx context.Context, dir string) (*control.Client, error) {
	door, err := control.ReadDoor(dir)
	if err != nil {
		return nil, err
	}
	client := control.NewClient(door)
	return client, client.Ping(ctx)
}

// person is who stands behind a command: the name given with --as, unverified,
// else the operating system's user.
func person(as string) wire.By {
	if as != "" {
		return wire.By{Person: as, Kind: wire.ByUnverified}
	}
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return wire.By{Person: name, Kind: wire.ByOS}
}

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

func (versionCmd) Run(inv *cli.Invocation) error {
	if inv.JSON {
		return inv.PrintJSON(map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(inv.Out, version)
	return err
}

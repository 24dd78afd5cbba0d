package main

import (
	"errors"
	"log/slog"

	"branchbot/agent"
	"branchbot/agent/torture"
	"branchbot/configs"
	"branchbot/internal/cli"
)

// torturedCmd is the agent as torture starts it: the real one, with a hook at
// every named point, on a folder that torture has made and on no other.
type torturedCmd struct {
	Data    string `required:"" type:"path"`
	Point   string // where it stops while it starts
	Passing int
}

func (c torturedCmd) Run(inv *cli.Invocation) error {
	settings, err := torture.ReadSettings(c.Data)
	if err != nil {
		return err
	}
	config, _, err := configs.LoadDevice(settings.Config, inv.Getenv, nil)
	if err != nil {
		return err
	}
	if err := settings.Configure(&config, c.Data); err != nil {
		return err
	}
	hook := torture.NewHook(inv.In, inv.Out)
	hook.Arm(c.Point, c.Passing)
	ctx, stop := hook.Obey(inv.Ctx)
	defer stop()
	logger := inv.Logger(config.Log.Level, config.Log.Format)
	a, err := agent.Open(ctx, agent.Options{
		Config: config, Executable: inv.Executable, Env: inv.Environ, Version: version, Hostname: "tortured",
		Logger: logger, Notices: hook.Notices(slog.NewTextHandler(inv.Err, nil)), Point: hook.Point,
	})
	if err != nil {
		return err
	}
	return errors.Join(a.Serve(ctx), a.Close())
}

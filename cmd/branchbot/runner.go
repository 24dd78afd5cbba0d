package main

import (
	"context"
	"log/slog"

	"branchbot/bots/modules/all"
	"branchbot/bots/runner"
	"branchbot/internal/cli"
)

// runnerCmd is the child process of one run. The agent alone ends it: signals
// that a terminal sends to its group are not for it.
type runnerCmd struct {
	Memory int64 `help:"Data memory in bytes."`
}

func (c runnerCmd) Run(inv *cli.Invocation) error {
	if err := runner.LimitMemory(c.Memory); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(inv.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return runner.Child(context.WithoutCancel(inv.Ctx), inv.In, inv.Out, all.Modules(), logger)
}

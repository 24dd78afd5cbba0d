// Package engine evaluates a pack's script: run(input), with steps that are not
// done again, values from outside that are journaled one by one, and errors
// that say where in the script they happened.
package engine

import (
	"context"
	"log/slog"

	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Config is what one run needs.
type Config struct {
	Start   *host.Start
	Pack    *pack.Pack
	Host    host.Host
	Modules []modules.Factory
	Logger  *slog.Logger
}

// Run evaluates run(input) to its end and says how it ended. It never panics.
// With c.Start.Journal it goes on where the journal stops.
func Run(ctx context.Context, c Config) host.Finish {
	return host.Finish{}
}

// Failed is the finish of a run that ended with err.
func Failed(err error) host.Finish {
	e := fault.Of(err)
	return host.Finish{State: wire.Failed, Exception: &wire.Exception{
		Kind: "application", Code: e.Code, Message: e.Message, Hint: e.Hint, Class: string(e.Class)}}
}

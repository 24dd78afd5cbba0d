// Package engine evaluates a pack's script: run(input), with steps that are not
// done again, values from outside that are journaled one by one, and errors
// that say where in the script they happened.
//
// What is in the journal, all as RESULT records:
//
//   - a finished step: Key{Step: its path, Attempt, Call: "step"}, its value;
//   - a failed attempt of a step: the same key, an error instead of a value;
//   - a value from outside: Key{Step: path of the step around it or "", Attempt,
//     Call: "ocr.read", "now", …, Ordinal}, digest of the arguments, the value.
//
// A path is the names of nested steps joined with "/"; a name that comes again
// in the same place gets "#2". A submit's own records stand under the step's
// path with Call "submit".
//
// The rule for doing it again: a finished step gives its journaled value and its
// function is not called. Outside any step everything must happen in the order
// of the journal, or the run stops with diverged. Inside an unfinished step a
// recorded value is used where path, call, ordinal and arguments match.
package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

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
func Run(ctx context.Context, c Config) (finish host.Finish) {
	defer func() {
		if p := recover(); p != nil {
			finish = failed(crash(c.Logger, p))
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := newRun(ctx, c)
	if err != nil {
		return failed(err)
	}
	defer r.close()
	return r.finish(r.evaluate())
}

// crash turns a panic into an error. The stack goes to the log only: it is for
// engineers, the person gets the code.
func crash(logger *slog.Logger, p any) error {
	logger.Error("the engine crashed", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return fault.New(fault.Application, fault.CodeInternal, "the engine crashed: %v", p)
}

// failed is the finish of a run that ended with err before it could do anything.
func failed(err error) host.Finish {
	return host.Finish{State: wire.Failed, Exception: exception(err)}
}

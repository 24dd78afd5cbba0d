// Package modules says what a builtin of the script language is. Each builtin
// stands in a folder of its own below this one; package all lists them.
//
// A module is a small value made for one run. It gets a Runtime, never the
// agent, the store or the network.
package modules

import (
	"context"
	"log/slog"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// Module is one builtin, made anew for each run by its Factory.
type Module interface {
	// Names are the script's global names and what stands behind them.
	Names() starlark.StringDict
	// Close ends what the run still holds (browser, proxy). It may be called twice.
	Close() error
}

// Factory makes a module for a run. It must not touch the outside world: a
// script that never calls browser.open never starts a browser.
type Factory struct {
	Name string
	New  func(Runtime) Module
}

// Settler is a Module that can find out what became of a submit that may have
// been sent. The engine asks before it does such a step again, so that the
// look-up comes before anything else of the step. found: the receipt is the
// step's value. Not found: provably absent, the step is done again. An error of
// class Waiting: nobody can see, a person decides. The engine journals RECONCILED
// where the settler has not done it.
type Settler interface {
	Settle(thread *starlark.Thread, scope Scope) (receipt map[string]string, found bool, err error)
}

// Repairer is a Module that holds something of the outside world that can break
// (a page, a browser, a sign-in). The engine calls it between two attempts of a
// step: failure is what the last one ended with, attempt is its number, from 1.
// It is best effort: what cannot be mended fails the next attempt.
type Repairer interface {
	Repair(ctx context.Context, failure error, attempt int)
}

// Runtime is what a module may use. Methods that take a thread must be called
// on the script's own goroutine, inside a builtin call.
type Runtime interface {
	Context() context.Context // ends with deadline or cancellation; the cause says which
	Start() *host.Start
	Pack() *pack.Pack
	Host() host.Host
	Logger() *slog.Logger

	// Guard is the run's one guard, through which every module goes to the sites.
	// It is opened by the first who asks and ends with the run.
	Guard() (*guard.Proxy, error)
	// Scope is the step in which the thread stands; its Path is "" outside any step.
	Scope(thread *starlark.Thread) Scope
	// Recorded returns the journaled value of this call, or does it and journals
	// what it gave. args must be plain data; the value must be plain data too.
	Recorded(thread *starlark.Thread, call string, args any, do func(context.Context) (any, error)) (starlark.Value, error)
	// Call calls back into the script (a login, a probe) on the same thread.
	Call(thread *starlark.Thread, fn starlark.Callable, args ...starlark.Value) (starlark.Value, error)
	// Global looks a top-level function of the script up by name (a login's run).
	Global(name string) (starlark.Callable, bool)
}

// Scope is one attempt of one step.
type Scope interface {
	Path() string
	Attempt() int
	Open() bool // false once the step has ended
	// OnEnd runs when the step ends, last registered first.
	OnEnd(func())
	// Record journals a record of the submit in this step under call "submit".
	Record(ctx context.Context, kind wire.RecordKind, data any) error
	// History is what Record wrote for this step so far, in all its attempts and
	// all runners of the run, oldest first.
	History() []wire.JournalRecord
	// ClaimSubmit makes the step's receipt its value; a second claim in one
	// step fails with second_submit.
	ClaimSubmit() error
	// Submitted hands the receipt over as the step's value.
	Submitted(receipt map[string]string)
}

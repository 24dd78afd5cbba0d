//go:build unix

package run_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"

	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/bots/modules/core"
	"branchbot/bots/runner"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// A runner with the real engine and a site that is a file: what stands in it was
// taken by the site. Chance decides where it dies and what the site answers.
const (
	siteFile  = "BRANCHBOT_TEST_SITE"
	actsFile  = "BRANCHBOT_TEST_ACTS"   // a line for each thing done in a step
	deathRate = "BRANCHBOT_TEST_DEATHS" // in percent, at each place where it may die
)

func realRunner() {
	err := runner.Child(context.Background(), os.Stdin, os.Stdout,
		[]modules.Factory{core.Factory(), {Name: "site", New: func(rt modules.Runtime) modules.Module { return &site{rt} }}},
		slog.New(slog.DiscardHandler))
	if err != nil {
		os.Exit(1)
	}
}

type site struct{ rt modules.Runtime }

func (s *site) Close() error { return nil }

func (s *site) Names() starlark.StringDict {
	return starlark.StringDict{"act": starlark.NewBuiltin("act", s.act), "submit": starlark.NewBuiltin("submit", s.submit)}
}

func chance(percent int) bool { return rand.IntN(100) < percent }

// mayDie kills this runner now and then.
func mayDie() {
	if rate, _ := strconv.Atoi(os.Getenv(deathRate)); chance(rate) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// act does something that must not be done again once its step is finished.
func (s *site) act(t *starlark.Thread, _ *starlark.Builtin, _ starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	mark(os.Getenv(actsFile), s.rt.Start().Run+" "+s.rt.Scope(t).Path())
	mayDie()
	if chance(15) {
		return nil, fault.New(fault.Application, "site_error", "busy").Retry()
	}
	return s.rt.Recorded(t, "act", nil, func(context.Context) (any, error) { return rand.IntN(1000), nil })
}

// submit goes the way of a guarded submit.
func (s *site) submit(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	scope, ctx, key := s.rt.Scope(t), s.rt.Context(), s.rt.Start().Run+"-"+string(args[0].(starlark.String))
	if err := scope.ClaimSubmit(); err != nil {
		return nil, err
	}
	if s.rt.Start().LookFirst && taken(key) {
		return s.there(ctx, scope, key)
	}
	if err := scope.Record(ctx, wire.RecordIntent, wire.IntentData{Submit: "open", Key: key, Guard: "payload", Fields: 1}); err != nil {
		return nil, err
	}
	mayDie()
	if err := scope.Record(ctx, wire.RecordPrepared, wire.PreparedData{Method: "POST"}); err != nil {
		return nil, err
	}
	mayDie()
	rejected := chance(5)
	if !rejected && !chance(5) { // else the request was lost on its way
		mark(os.Getenv(siteFile), key)
	} else if !rejected {
		return nil, s.unknown(ctx, scope)
	}
	mayDie()
	switch {
	case rejected:
		err := scope.Record(ctx, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitRejected, Message: "no"})
		if err == nil {
			err = fault.New(fault.Business, "rejected", "no")
		}
		return nil, err
	case chance(15):
		return nil, s.unknown(ctx, scope)
	}
	return s.accepted(ctx, scope, key, wire.SubmitAcknowledged)
}

func (s *site) unknown(ctx context.Context, scope modules.Scope) error {
	if err := scope.Record(ctx, wire.RecordUnknown, wire.UnknownData{Reason: "cut"}); err != nil {
		return err
	}
	return fault.New(fault.Application, "no_reply", "the connection was cut")
}

func (s *site) there(ctx context.Context, scope modules.Scope, key string) (starlark.Value, error) {
	return s.accepted(ctx, scope, key, wire.SubmitAlreadyThere)
}

func (s *site) accepted(ctx context.Context, scope modules.Scope, key, state string) (starlark.Value, error) {
	receipt := map[string]string{"no": key}
	if err := scope.Record(ctx, wire.RecordOutcome, wire.OutcomeData{State: state, Receipt: receipt, Submit: "open", Key: key}); err != nil {
		return nil, err
	}
	mayDie()
	scope.Submitted(receipt)
	return starlark.None, nil
}

func taken(key string) bool { return count(os.Getenv(siteFile), key) > 0 }

// count is how often a line stands in a file.
func count(file, line string) int {
	text, _ := os.ReadFile(file) // not there yet: nothing was done
	n := 0
	for have := range strings.Lines(string(text)) {
		if strings.TrimSpace(have) == line {
			n++
		}
	}
	return n
}

// Settle looks into the file; sometimes it cannot.
func (s *site) Settle(_ *starlark.Thread, scope modules.Scope) (map[string]string, bool, error) {
	mayDie()
	if chance(10) {
		return nil, false, fault.New(fault.Waiting, "in_doubt", "the site cannot be seen")
	}
	key := s.rt.Start().Run + "-" + scope.Path()
	if taken(key) {
		return map[string]string{"no": key}, true, nil
	}
	return nil, false, nil
}

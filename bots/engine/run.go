package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/modules/plain"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// defaultSteps is how many Starlark steps a run may take: some seconds of
// pure computation.
const defaultSteps = 100_000_000

// run is one run of a script. It is the Runtime of its modules. Everything but
// cancellation happens on one goroutine.
type run struct {
	config  Config
	whole   context.Context // of the run
	ctx     context.Context // of the attempt under way, whole outside any step
	host    *watchedHost
	thread  *starlark.Thread
	program program
	past    *past
	scope   *scope // where the script stands
	modules []modules.Module
	proxy   *guard.Proxy // nil until a module goes to a site
	loading bool         // the script's top level runs
	inside  int          // calls back into the script that are under way (login, probe)
	limit   error        // which limit of our own stopped the script
	log     logBudget
	// unwritten is why the latest record could not be written.
	unwritten error
}

var _ modules.Runtime = (*run)(nil)

func newRun(ctx context.Context, c Config) (*run, error) {
	r := &run{config: c, whole: ctx, ctx: ctx, host: &watchedHost{Host: c.Host}, past: remember(c.Start.Journal)}
	r.log.left = c.Pack.Manifest.Limits.Log
	if r.log.left == 0 {
		r.log.left = defaultLog
	}
	r.scope = &scope{run: r, attempt: 1}
	r.thread = r.newThread()
	names := starlark.StringDict{"step": starlark.NewBuiltin("step", r.step), "log": starlark.NewBuiltin("log", r.logBuiltin)}
	for _, factory := range c.Modules {
		module := factory.New(r)
		r.modules = append(r.modules, module)
		for name, value := range module.Names() {
			if names.Has(name) {
				return nil, fmt.Errorf("builtin %s is defined twice, the second time by module %s", name, factory.Name)
			}
			names[name] = value
		}
	}
	r.program = program{pack: c.Pack, names: names, loaded: map[string]starlark.StringDict{}}
	return r, nil
}

func (r *run) newThread() *starlark.Thread {
	thread := &starlark.Thread{
		Name:  r.config.Start.Run,
		Print: func(_ *starlark.Thread, message string) { r.writeLog("info", message) },
		Load:  func(t *starlark.Thread, name string) (starlark.StringDict, error) { return r.program.load(t, name) },
	}
	steps := r.config.Pack.Manifest.Limits.Steps
	if steps == 0 {
		steps = defaultSteps
	}
	thread.SetMaxExecutionSteps(steps)
	thread.OnMaxSteps = func(t *starlark.Thread) {
		r.limit = fault.New(fault.Application, "script_steps", "the script took more than %d steps of computation", steps).
			WithHint("look for a loop without end; raise limits.steps only if the work is really that long")
		t.Cancel("too many steps")
	}
	return thread
}

// evaluate loads the script and calls run(input).
func (r *run) evaluate() (output json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crash(r.config.Logger, p)
		}
	}()
	stop := context.AfterFunc(r.ctx, func() { r.thread.Cancel(context.Cause(r.ctx).Error()) })
	defer stop()
	input, err := inputValue(r.config.Pack.Manifest.Inputs, r.config.Start.Inputs)
	if err != nil {
		return nil, err
	}
	r.loading = true
	if err := r.program.start(r.thread); err != nil {
		return nil, err
	}
	r.loading = false
	main, ok := r.Global("run")
	if !ok {
		return nil, fault.New(fault.Application, "script_invalid", "%s has no function run(input)", pack.MainFile)
	}
	value, err := starlark.Call(r.thread, main, starlark.Tuple{input}, nil)
	if err != nil {
		return nil, err
	}
	if err := r.past.complete(); err != nil {
		return nil, err
	}
	return encodeOutput(value)
}

// encodeOutput wants a dict, so that people see names beside the values.
func encodeOutput(value starlark.Value) (json.RawMessage, error) {
	switch value.(type) {
	case starlark.NoneType:
		return json.RawMessage("{}"), nil
	case *starlark.Dict:
		raw, err := plain.Encode(value)
		if err != nil {
			return nil, fmt.Errorf("the value of run(input): %w", err)
		}
		return raw, nil
	}
	return nil, fault.New(fault.Application, "value_not_plain", "run(input) returned a %s", value.Type()).
		WithHint("return a dict: names and plain values")
}

// close ends what the modules still hold, last made first.
func (r *run) close() {
	defer r.closeGuard()
	for _, module := range slices.Backward(r.modules) {
		if err := module.Close(); err != nil {
			r.config.Logger.Warn("module did not close cleanly", "error", err)
		}
	}
}

// Context, Start, Pack, Host and Logger are what a module may use.
func (r *run) Context() context.Context { return r.ctx }

// Start is what the runner was told.
func (r *run) Start() *host.Start { return r.config.Start }

// Pack is the pack of the run.
func (r *run) Pack() *pack.Pack { return r.config.Pack }

// Host is the agent.
func (r *run) Host() host.Host { return r.host }

// Logger is for engineers; no customer's values go there.
func (r *run) Logger() *slog.Logger { return r.config.Logger }

// Scope is the step in which the script stands.
func (r *run) Scope(*starlark.Thread) modules.Scope { return r.scope }

// Call calls a function of the script on behalf of a module. What happens in
// there (a login, a look-up) is not journaled: it may happen any number of times.
func (r *run) Call(thread *starlark.Thread, fn starlark.Callable, args ...starlark.Value) (starlark.Value, error) {
	r.inside++
	defer func() { r.inside-- }()
	return starlark.Call(thread, fn, args, nil)
}

// Global finds a top-level function of main.star.
func (r *run) Global(name string) (starlark.Callable, bool) {
	fn, ok := r.program.globals[name].(starlark.Callable)
	return fn, ok
}

// Recorded gives the journaled value of a call, or does it and journals it.
func (r *run) Recorded(_ *starlark.Thread, call string, args any, do func(context.Context) (any, error)) (starlark.Value, error) {
	if err := r.mayAct(call); err != nil {
		return nil, err
	}
	if r.inside > 0 {
		raw, err := perform(r.ctx, do)
		if err != nil {
			return nil, err
		}
		return plain.Decode(raw)
	}
	digest, err := digestOf(args)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", call, err)
	}
	key := r.scope.next(call)
	raw, known, err := r.past.call(key, digest)
	if err != nil {
		return nil, err
	}
	if !known {
		if raw, err = r.live(key, digest, do); err != nil {
			return nil, err
		}
	}
	return plain.Decode(raw)
}

// live does the call and journals what it gave before the script sees it.
func (r *run) live(key wire.JournalKey, digest string, do func(context.Context) (any, error)) (json.RawMessage, error) {
	if err := r.mayBegin(); err != nil {
		return nil, err
	}
	event := host.Event{Kind: "call", Step: key.Step, Name: key.Call, Attempt: key.Attempt, State: "running"}
	began := r.observe(event)
	raw, err := perform(r.ctx, do)
	event.MS, event.State = time.Since(began).Milliseconds(), "done"
	if err == nil {
		err = r.append(wire.JournalRecord{Kind: wire.RecordResult, Key: key, Args: digest, MS: event.MS}, wire.ResultData{Value: raw})
	}
	if err != nil {
		event.State = "failed"
	}
	r.observe(event)
	return raw, err
}

func perform(ctx context.Context, do func(context.Context) (any, error)) (json.RawMessage, error) {
	value, err := do(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode value from outside: %w", err)
	}
	return raw, nil
}

// append writes one record and remembers it. What has happened is written even
// while the run is being cancelled.
func (r *run) append(record wire.JournalRecord, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s record: %w", record.Kind, err)
	}
	record.Data = raw
	written, err := r.host.Append(context.WithoutCancel(r.ctx), record)
	if r.unwritten = err; err != nil {
		return err
	}
	r.past.add(written)
	return nil
}

// mayAct refuses what a script may only do inside run(input), and everything
// once the run is being stopped.
func (r *run) mayAct(call string) error {
	if r.loading {
		return fault.New(fault.Application, "outside_run", "%s is called while the script is being loaded", call).
			WithHint("call it inside run(input)")
	}
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

func digestOf(args any) (string, error) {
	if value, ok := args.(starlark.Value); ok {
		raw, err := plain.Canonical(value)
		return wire.Digest(raw), err
	}
	raw, err := json.Marshal(args)
	return wire.Digest(raw), err
}

// observe reports progress and gives the time of the report.
func (r *run) observe(event host.Event) time.Time {
	event.At = time.Now().UTC()
	r.host.Observe(event)
	return event.At
}

// watchedHost keeps the forms that modules report, for the run's record.
type watchedHost struct {
	host.Host
	forms []wire.FormView
}

// Observe keeps a form and passes the event on.
func (h *watchedHost) Observe(event host.Event) {
	if event.Form != nil {
		h.forms = append(h.forms, *event.Form)
	}
	h.Host.Observe(event)
}

// isStop reports whether err only says that the context ended.
func isStop(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.starlark.net/starlark"

	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/modules/plain"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// step is step(name, fn): what is not done again.
func (r *run) step(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	var fn starlark.Callable
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name, "fn", &fn); err != nil {
		return nil, err
	}
	if err := r.mayStep(name); err != nil {
		return nil, err
	}
	path := r.scope.child(name)
	raw, known, err := r.past.step(path)
	if err != nil {
		return nil, err
	}
	if !known {
		if raw, err = r.work(thread, path, fn); err != nil {
			return nil, settled{err}
		}
	}
	return plain.Decode(raw)
}

func (r *run) mayStep(name string) error {
	if err := r.mayAct("step"); err != nil {
		return err
	}
	if r.inside > 0 {
		return fault.New(fault.Application, "step_in_callback", "a login or a probe may not begin a step")
	}
	odd := func(c rune) bool { return c == '/' || c == '#' || unicode.IsControl(c) }
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > 80 || strings.ContainsFunc(name, odd) {
		return fault.New(fault.Application, "step_name", "%q is no name for a step", name).
			WithHint("up to 80 characters, without / and #")
	}
	return nil
}

// settled marks an error that a step has already retried as often as it may.
type settled struct{ error }

// Unwrap gives the error itself.
func (s settled) Unwrap() error { return s.error }

// work attempts a step until it is done, or until another attempt is no use.
func (r *run) work(thread *starlark.Thread, path string, fn starlark.Callable) (json.RawMessage, error) {
	if err := r.failedBefore(path); err != nil {
		return nil, err
	}
	if err := r.rest(path); err != nil {
		return nil, err
	}
	for looked := false; ; {
		raw, err := r.attempt(thread, path, fn)
		if err == nil {
			return raw, nil
		}
		open := r.past.standing(path).open()
		switch {
		case open && !looked && r.canSettle(err):
			looked = true // the next attempt begins with the look-up
		case !open && r.canRetry(path, err):
			r.repair(err, len(r.past.failures[path]))
			if err := r.pause(path); err != nil {
				return nil, err
			}
		default:
			return nil, err
		}
	}
}

// attempt does a step once and journals how it ended.
func (r *run) attempt(thread *starlark.Thread, path string, fn starlark.Callable) (json.RawMessage, error) {
	outer := r.scope
	s := &scope{run: r, path: path, attempt: r.past.attempts[path] + 1}
	r.past.attempts[path], r.scope = s.attempt, s
	event := host.Event{Kind: "step", Step: path, Name: path, Attempt: s.attempt, State: "running"}
	began := r.observe(event)
	raw, err := r.body(thread, s, fn)
	s.end()
	r.scope = outer
	event.MS, event.State = time.Since(began).Milliseconds(), "done"
	record := wire.JournalRecord{
		Kind: wire.RecordResult, MS: event.MS,
		Key: wire.JournalKey{Step: path, Attempt: s.attempt, Call: stepCall},
	}
	if err == nil {
		err = r.append(record, wire.ResultData{Value: raw})
	} else if r.isFailure(path, err) {
		// Best effort: a failure that is not written is only tried once more.
		_ = r.append(record, wire.ResultData{Error: exception(err)})
	}
	if err != nil {
		event.State, event.Message = "failed", fault.Of(err).Code
		if r.past.standing(path).open() {
			event.State = string(wire.InDoubt)
		}
	}
	r.observe(event)
	return raw, err
}

// body gives the step's value: what an earlier submit of it already brought,
// or what its function returns.
func (r *run) body(thread *starlark.Thread, s *scope, fn starlark.Callable) (json.RawMessage, error) {
	before := r.past.standing(s.path)
	switch {
	case before.accepted():
		return encodeReceipt(r.named(s.path, before.receipt))
	case before.err() != nil:
		return nil, before.err()
	case before.open():
		receipt, found, err := r.settle(thread, s)
		if err != nil {
			return nil, err
		}
		if found {
			return encodeReceipt(receipt)
		}
		r.repair(notThere(s.path), freshBrowser)
	}
	if err := r.mayBegin(); err != nil {
		return nil, err
	}
	inTime := r.bound(s.path)
	value, err := starlark.Call(thread, fn, nil, nil)
	if err = inTime(err); err != nil {
		return nil, err
	}
	if s.receipt != nil {
		return encodeReceipt(s.receipt)
	}
	raw, err := plain.Encode(value)
	if err != nil {
		return nil, fmt.Errorf("the value of step %s: %w", s.path, err)
	}
	return raw, nil
}

func encodeReceipt(receipt map[string]string) (json.RawMessage, error) {
	if receipt == nil {
		receipt = map[string]string{}
	}
	return json.Marshal(receipt)
}

// settle looks up what became of a submit that may have been sent. Where no
// module can look, a person decides.
func (r *run) settle(thread *starlark.Thread, s *scope) (map[string]string, bool, error) {
	for _, module := range r.modules {
		if settler, ok := module.(modules.Settler); ok {
			receipt, found, err := settler.Settle(thread, s)
			if err == nil {
				err = r.reconciled(s, receipt, found)
			}
			return receipt, found, err
		}
	}
	return nil, false, inDoubt(s.path)
}

// reconciled journals what the look-up said, unless the settler has done so.
func (r *run) reconciled(s *scope, receipt map[string]string, found bool) error {
	if !r.past.standing(s.path).open() {
		return nil
	}
	data := wire.ReconciledData{State: wire.SubmitNotProcessed, By: "probe"}
	if found {
		data.State, data.Receipt = wire.SubmitAcknowledged, receipt
	}
	return s.Record(r.ctx, wire.RecordReconciled, data)
}

func (r *run) canSettle(err error) bool {
	return r.ctx.Err() == nil && r.limit == nil && fault.Of(err).Class != fault.Waiting
}

// canRetry: an application exception that may pass by itself, not yet tried as
// often as the manifest allows, here or in a step inside this one.
func (r *run) canRetry(path string, err error) bool {
	e := fault.Of(err)
	return e.Retryable && (e.Class == fault.Application || e.Class == fault.Unreachable) &&
		!isSettled(err) && r.ctx.Err() == nil && r.limit == nil &&
		len(r.past.failures[path]) < r.retryOf(path).Attempts
}

// failedBefore is the recorded failure of a step that another attempt cannot help.
func (r *run) failedBefore(path string) error {
	failures := r.past.failures[path]
	if len(failures) == 0 || r.past.standing(path).kind != "" {
		return nil // the submit's own records say more
	}
	last := failures[len(failures)-1]
	if last.Kind != business && len(failures) < r.retryOf(path).Attempts {
		return nil
	}
	e := fault.New(fault.Class(last.Class), last.Code, "%s", last.Message).WithHint("%s", last.Hint)
	return whereError{e, last.Where}
}

// isFailure: the step itself failed, not the run around it, and nothing of it is open.
func (r *run) isFailure(path string, err error) bool {
	e := fault.Of(err)
	return r.ctx.Err() == nil && r.limit == nil && !isStop(err) && !r.past.standing(path).open() &&
		e.Class != fault.Waiting && e.Class != fault.Interrupted && e.Code != "diverged"
}

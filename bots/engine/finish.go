package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// business is the kind of exception that is never tried again.
const business = "business"

// finish says how the run ended. No run ends failed or cancelled, and none
// succeeds, while a submit is open.
func (r *run) finish(output json.RawMessage, err error) host.Finish {
	f := host.Finish{State: wire.Succeeded, Output: output, Forms: r.host.forms}
	err = r.reason(err)
	if code := fault.Code(r.unwritten); err != nil && (code == "disk_full" || code == "disk_failed") {
		// What happened is not on disk. That is no end: the run is taken up again.
		return host.Finish{State: wire.Failed, Exception: exception(r.unwritten), Forms: r.host.forms}
	}
	if path := r.past.openSubmit(); path != "" && fault.Code(err) != "in_doubt" {
		doubt := inDoubt(path)
		if err != nil {
			doubt.Message += ": " + err.Error()
		}
		err = whereError{doubt, where(err)}
	}
	if err == nil {
		return f
	}
	f.Output, f.State, f.Exception = nil, state(err), exception(err)
	return f
}

// reason replaces the error of a stopped script by what stopped it.
func (r *run) reason(err error) error {
	switch {
	case err == nil:
		return nil
	case r.limit != nil:
		return whereError{r.limit, where(err)}
	case r.ctx.Err() == nil:
		return err
	}
	if class := fault.Of(err).Class; class == fault.Business || class == fault.Waiting {
		return err
	}
	return whereError{context.Cause(r.ctx), where(err)}
}

func state(err error) wire.RunState {
	e := fault.Of(err)
	switch {
	case e.Class == fault.Waiting && e.Code == "in_doubt":
		return wire.InDoubt
	case e.Class == fault.Waiting:
		return wire.WaitingOn
	case e.Class == fault.Interrupted || errors.Is(err, context.Canceled):
		return wire.Cancelled
	}
	return wire.Failed
}

// exception is err as people see it: coded, with the place in the script.
func exception(err error) *wire.Exception {
	e := fault.Of(err)
	x := host.Exception(err)
	x.Where = where(err)
	if site := (*fault.Error)(nil); e.Code == "rejected" && errors.As(err, &site) {
		x.Message = site.Message // the site's own words; where says the rest
	}
	var script *starlark.EvalError
	switch {
	case errors.Is(err, context.Canceled):
		x.Code, x.Class = "cancelled", string(fault.Interrupted)
	case errors.Is(err, context.DeadlineExceeded) && e.Code == fault.CodeInternal:
		x.Code = "run_deadline"
	case e.Code == fault.CodeInternal && errors.As(err, &script):
		x.Code, x.Hint = "script_error", "correct the script at the place named"
	}
	return x
}

// whereError is an error with a place in the script that it does not hold itself.
type whereError struct {
	error
	where string
}

// Unwrap gives the error itself.
func (w whereError) Unwrap() error { return w.error }

func isSettled(err error) bool {
	var s settled
	return errors.As(err, &s)
}

// where is the innermost place in the script, then the calls that led there.
func where(err error) string {
	var known whereError
	if errors.As(err, &known) {
		return known.where
	}
	var deepest *starlark.EvalError
	for at := err; errors.As(at, &deepest); {
		at = deepest.Unwrap()
	}
	if deepest == nil {
		return ""
	}
	var lines []string
	for i := range deepest.CallStack {
		frame := deepest.CallStack.At(i)
		if frame.Pos.Filename() != "<builtin>" {
			lines = append(lines, fmt.Sprintf("%s:%d:%d in %s", frame.Pos.Filename(), frame.Pos.Line, frame.Pos.Col, frame.Name))
		}
	}
	return strings.Join(lines, "\n")
}

package run

import (
	"context"
	"encoding/json"
	"errors"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Bounds of what a runner may put into a run's record: it must reach head office.
const (
	maxOutput = 1 << 20
	maxText   = 8 << 10
	maxForms  = 200
)

// ended turns what an execution came to into the finish that is written down.
// Its runner is not trusted; a run that was told to stop and has nothing better
// to say is cancelled.
func ended(ctx context.Context, act *activity, records []wire.JournalRecord, finish host.Finish, err error) host.Finish {
	if err != nil {
		finish = host.Failed(err)
	}
	finish = believable(finish)
	cause := context.Cause(ctx)
	_, asked := cancelAsked(records)
	switch {
	case cause != nil && err != nil:
		finish.State, finish.Exception = wire.Cancelled, host.Exception(cause)
	case cause == nil && !asked && finish.State == wire.Cancelled: // nobody asked for it
		finish.State = wire.Failed
	}
	if finish.Forms == nil {
		finish.Forms = act.forms
	}
	return finish
}

// believable is a finish that can be true.
func believable(f host.Finish) host.Finish {
	switch f.State {
	case wire.Succeeded:
		if len(f.Output) > maxOutput {
			return host.Failed(fault.New(fault.Application, "output_too_large", "the run's result has %d bytes, the limit is %d", len(f.Output), maxOutput).
				WithHint("return a few values; what was submitted stands under its submits"))
		}
		if len(f.Output) == 0 {
			f.Output = json.RawMessage("{}")
		}
		f.Exception = nil
	case wire.Failed, wire.Cancelled, wire.WaitingOn, wire.InDoubt:
		f.Output = nil
		if f.Exception == nil {
			f.Exception = host.Exception(errors.New("the runner gave no reason"))
		}
		for _, text := range []*string{&f.Exception.Kind, &f.Exception.Code, &f.Exception.Class, &f.Exception.Message, &f.Exception.Hint, &f.Exception.Where} {
			*text = cut(*text)
		}
	default:
		return host.Failed(fault.New(fault.Application, "pipe_damaged", "the runner reported the state %q", cut(string(f.State))))
	}
	f.Forms = f.Forms[:min(len(f.Forms), maxForms)]
	for i := range f.Forms {
		f.Forms[i] = bounded(f.Forms[i])
	}
	return f
}

func bounded(form wire.FormView) wire.FormView {
	form.Form = cut(form.Form)
	return form
}

// cut bounds a text for people.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return string([]rune(text[:maxText])) + "…"
}

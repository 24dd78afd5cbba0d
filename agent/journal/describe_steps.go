package journal

import (
	"slices"

	"branchbot/internal/wire"
)

// States of a StepView.
const (
	StepRunning = "running"
	StepDone    = "done"
	StepFailed  = "failed"
	StepInDoubt = "in_doubt"
)

// shownCalls are the calls that a person wants to see beside the steps, by kind.
var shownCalls = map[string]string{"ocr.read": "ocr", "review": "review", "http.get": "http"}

// line finds the view of a step, or of what was done in it, and makes it if new.
func (d *description) line(name, kind string, attempt int) *wire.StepView {
	i := slices.IndexFunc(d.run.Steps, func(s wire.StepView) bool { return s.Name == name && s.Kind == kind })
	if i < 0 {
		i = len(d.run.Steps)
		d.run.Steps = append(d.run.Steps, wire.StepView{Name: name, Kind: kind, State: StepRunning})
	}
	view := &d.run.Steps[i]
	view.Attempts = max(view.Attempts, attempt, 1)
	return view
}

func (d *description) result(r wire.JournalRecord) {
	if r.Key.Step != "" {
		d.line(r.Key.Step, "step", r.Key.Attempt)
	}
	kind, shown := shownCalls[r.Key.Call]
	if r.Key.Call == "step" {
		kind, shown = "step", r.Key.Step != ""
	}
	if !shown {
		return
	}
	name := r.Key.Step
	if name == "" {
		name = r.Key.Call
	}
	view := d.line(name, kind, r.Key.Attempt)
	view.State, view.MS = StepDone, view.MS+r.MS
	if data[wire.ResultData](r).Error != nil {
		view.State = StepFailed
	}
}

// submit moves the latest submit view and its step line on.
func (d *description) submit(r wire.JournalRecord) {
	if r.Key.Step != "" {
		d.line(r.Key.Step, "step", r.Key.Attempt)
	}
	line := d.line(r.Key.Step, "submit", r.Key.Attempt)
	line.MS += r.MS
	view := d.submitView(r)
	switch r.Kind {
	case wire.RecordIntent:
		view.State = SubmitIntended
	case wire.RecordPrepared:
		view.State = SubmitPrepared
	case wire.RecordUnknown:
		view.State = wire.SubmitInDoubt
	case wire.RecordReconciled:
		view.State = data[wire.ReconciledData](r).State
	case wire.RecordOutcome:
		outcome := data[wire.OutcomeData](r)
		view.State, view.GuardMS = outcome.State, outcome.GuardMS
		view.Mismatches = append([]wire.Mismatch{}, outcome.Mismatches...)
	}
	line.State = lineState(view.State)
	d.doubt(view.State)
}

// submitView returns the view that r belongs to. Another intent for the same key
// is another attempt of the same submit.
func (d *description) submitView(r wire.JournalRecord) *wire.SubmitView {
	last := len(d.run.Submits) - 1
	if r.Kind != wire.RecordIntent && last >= 0 {
		return &d.run.Submits[last]
	}
	intent := data[wire.IntentData](r) // empty for an outcome without one
	if last < 0 || d.run.Submits[last].Key != intent.Key || d.run.Submits[last].Name != intent.Submit {
		d.run.Submits = append(d.run.Submits, wire.SubmitView{
			Name: intent.Submit, Key: intent.Key, Guard: intent.Guard, Fields: intent.Fields, Mismatches: []wire.Mismatch{},
		})
		last++
	}
	d.run.Submits[last].Attempts++
	return &d.run.Submits[last]
}

func lineState(submit string) string {
	switch submit {
	case wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		return StepDone
	case wire.SubmitInDoubt:
		return StepInDoubt
	case SubmitIntended, SubmitPrepared:
		return StepRunning
	default:
		return StepFailed
	}
}

// doubt makes the run's state follow its submit until END tells it.
func (d *description) doubt(submit string) {
	d.run.State = wire.Running
	if submit == wire.SubmitInDoubt {
		d.run.State = wire.InDoubt
	}
}

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

// callStep is the call whose RESULT ends a step.
const callStep = "step"

// telling gives the kind of step that a record makes of its step, "" for none.
func telling(r wire.JournalRecord) string {
	if isSubmit(r.Kind) {
		return "submit"
	}
	switch r.Key.Call {
	case "ocr.read":
		return "ocr"
	case "review":
		return "review"
	case "http.get":
		return "http"
	}
	return ""
}

// line finds the line of r: that of its step or, outside any step, that of a
// telling call. It is nil for what nobody wants to see.
func (d *description) line(r wire.JournalRecord) *wire.StepView {
	name, kind := r.Key.Step, telling(r)
	if name == "" {
		name = r.Key.Call
	}
	if r.Key.Step == "" && kind == "" {
		return nil
	}
	i := slices.IndexFunc(d.run.Steps, func(s wire.StepView) bool { return s.Name == name })
	if i < 0 {
		i = len(d.run.Steps)
		d.run.Steps = append(d.run.Steps, wire.StepView{Name: name, Kind: callStep, State: StepRunning, Attempts: 1})
	}
	view := &d.run.Steps[i]
	if r.Key.Attempt > view.Attempts {
		view.Attempts, view.State = r.Key.Attempt, StepRunning
	}
	if kind == "submit" || (kind != "" && view.Kind == callStep) {
		view.Kind = kind
	}
	return view
}

func isSubmit(kind wire.RecordKind) bool {
	switch kind {
	case wire.RecordIntent, wire.RecordPrepared, wire.RecordUnknown, wire.RecordOutcome, wire.RecordReconciled:
		return true
	}
	return false
}

func (d *description) result(r wire.JournalRecord) {
	view := d.line(r)
	if view == nil || (r.Key.Step != "" && r.Key.Call != callStep) {
		return
	}
	view.MS += r.MS
	switch failed := data[wire.ResultData](r).Error != nil; {
	case failed && view.State == StepInDoubt: // doubt stays until it is settled
	case failed:
		view.State = StepFailed
	default:
		view.State = StepDone
	}
}

// submit moves the latest submit view and the line of its step on.
func (d *description) submit(r wire.JournalRecord) {
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
	if view.Receipt = nil; isTaken(view.State) {
		view.Receipt = data[wire.OutcomeData](r).Receipt // RECONCILED has the same name
	}
	d.open, d.run.State = isOpen(view.State), wire.Running
	line := d.line(r)
	if view.State == wire.SubmitInDoubt {
		d.run.State, line.State = wire.InDoubt, StepInDoubt
	} else if line.State == StepInDoubt {
		line.State = StepRunning // settled; the step goes on
	}
}

// submitView returns the view that r belongs to. Another intent for the same key
// is another attempt of the same submit.
func (d *description) submitView(r wire.JournalRecord) *wire.SubmitView {
	last := len(d.run.Submits) - 1
	if r.Kind != wire.RecordIntent && d.open {
		return &d.run.Submits[last]
	}
	intent := data[wire.IntentData](r) // an outcome without an intent has the same names
	if last < 0 || d.run.Submits[last].Key != intent.Key || d.run.Submits[last].Name != intent.Submit {
		d.run.Submits = append(d.run.Submits, wire.SubmitView{
			Name: intent.Submit, Key: intent.Key, Guard: intent.Guard, Fields: intent.Fields, Mismatches: []wire.Mismatch{}, KeyWindow: intent.Window,
		})
		last++
	}
	d.run.Submits[last].Attempts++
	return &d.run.Submits[last]
}

// isOpen reports whether more is to come about a submit in this state.
func isOpen(state string) bool {
	return state == SubmitIntended || state == SubmitPrepared || state == wire.SubmitInDoubt
}

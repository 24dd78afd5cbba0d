package journal

import (
	"encoding/json"

	"branchbot/internal/wire"
)

// States of a submit that is still on its way; wire has the others.
const (
	SubmitIntended = "intent"   // not sent
	SubmitPrepared = "prepared" // possibly sent, the answer is awaited
)

// OpenSubmit returns the intent that is possibly sent and has no answer: what
// must be settled before anything else is done.
func OpenSubmit(records []wire.JournalRecord) (*wire.IntentData, bool) {
	var intent *wire.IntentData
	possiblySent := false
	for _, r := range records {
		switch r.Kind {
		case wire.RecordIntent:
			intent, possiblySent = data[wire.IntentData](r), false
		case wire.RecordPrepared, wire.RecordUnknown:
			possiblySent = true
		case wire.RecordOutcome:
			possiblySent = data[wire.OutcomeData](r).State == wire.SubmitInDoubt
		case wire.RecordReconciled:
			possiblySent = data[wire.ReconciledData](r).State == wire.SubmitInDoubt
		}
	}
	if intent == nil || !possiblySent {
		return nil, false
	}
	return intent, true
}

// Describe tells from a journal alone what the run did. Evidence, forms, the
// business date and the minutes saved are not in a journal: the caller adds them.
func Describe(records []wire.JournalRecord) wire.Run {
	d := description{run: wire.Run{
		State: wire.Queued, Steps: []wire.StepView{}, Submits: []wire.SubmitView{},
		Forms: []wire.FormView{}, Evidence: []wire.EvidenceRef{},
	}}
	for _, r := range records {
		d.add(r)
	}
	return d.run
}

// description is a run as far as its journal was read.
type description struct {
	run  wire.Run
	open bool // the last submit has no final word yet
}

func (d *description) add(r wire.JournalRecord) {
	switch {
	case r.Kind == wire.RecordStart:
		d.start(r)
	case r.Kind == wire.RecordResult:
		d.result(r)
	case isSubmit(r.Kind):
		d.submit(r)
	case r.Kind == wire.RecordEnd:
		d.end(r)
	}
}

func (d *description) start(r wire.JournalRecord) {
	start := data[wire.StartData](r)
	d.run.Run, d.run.Bot, d.run.Version, d.run.Digest = r.Run, start.Bot, start.Version, start.Digest
	d.run.Trust, d.run.Trigger, d.run.Origins = start.Trust, start.Trigger, start.Origins
	d.run.By, d.run.Started, d.run.State = r.By, r.At, wire.Running
}

func (d *description) end(r wire.JournalRecord) {
	end := data[wire.EndData](r)
	at := r.At
	if end.State == "" {
		end.State = wire.Failed // it is over, and nobody can read how
	}
	d.run.State, d.run.Output, d.run.Exception, d.run.Finished = end.State, end.Output, end.Exception, &at
	for i := range d.run.Steps {
		if d.run.Steps[i].State == StepRunning {
			d.run.Steps[i].State = StepFailed // the run ended inside it
		}
	}
}

// data decodes a record's data; what cannot be decoded is empty: a description
// is for people, decisions are made by Append.
func data[T any](r wire.JournalRecord) *T {
	var value T
	if err := json.Unmarshal(r.Data, &value); err != nil {
		return new(T)
	}
	return &value
}

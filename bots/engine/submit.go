package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// standing is where the submit of a step stands, by its last record.
type standing struct {
	kind    wire.RecordKind // "" if there is none
	state   string          // of an outcome or a reconciliation
	receipt map[string]string
	message string
}

func (p *past) standing(path string) standing {
	records := p.submits[path]
	if len(records) == 0 {
		return standing{}
	}
	last := records[len(records)-1]
	var data wire.OutcomeData // RECONCILED has the same names
	if err := json.Unmarshal(last.Data, &data); err != nil {
		return standing{kind: wire.RecordUnknown} // unreadable: nobody knows
	}
	return standing{kind: last.Kind, state: data.State, receipt: data.Receipt, message: data.Message}
}

// intent gives the digest of a new intent. One that was never sent may be
// followed only by the same: another submit or key means that the script now
// wants something else than it did before the crash.
func (p *past) intent(path string, data any) (string, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode intent: %w", err)
	}
	records := p.submits[path]
	if len(records) > 0 && records[len(records)-1].Kind == wire.RecordIntent {
		var before, now wire.IntentData
		if json.Unmarshal(records[len(records)-1].Data, &before) == nil && json.Unmarshal(raw, &now) == nil &&
			(before.Submit != now.Submit || before.Key != now.Key) {
			return "", diverged("an intent to submit in step "+path, "another one")
		}
	}
	return wire.Digest(raw), nil
}

// open: the request may have been sent and nobody knows what became of it.
func (s standing) open() bool {
	switch s.kind {
	case wire.RecordPrepared, wire.RecordUnknown:
		return true
	case wire.RecordOutcome, wire.RecordReconciled:
		return s.state == wire.SubmitInDoubt
	}
	return false
}

// accepted: the business system has the record.
func (s standing) accepted() bool {
	return (s.kind == wire.RecordOutcome || s.kind == wire.RecordReconciled) &&
		(s.state == wire.SubmitAcknowledged || s.state == wire.SubmitAlreadyThere)
}

// err is the recorded refusal of the business system.
func (s standing) err() error {
	if s.state != wire.SubmitRejected {
		return nil
	}
	return fault.New(fault.Business, "rejected", "%s", s.message)
}

// named gives a receipt the names that the script expects. A person who found
// the record knows one reference and not what the manifest calls it.
func (r *run) named(path string, receipt map[string]string) map[string]string {
	reference, byPerson := receipt["reference"]
	rule := r.config.Pack.Manifest.Submits[r.past.submitName(path)]
	if !byPerson || rule == nil {
		return receipt
	}
	full := maps.Clone(receipt)
	for name := range rule.Success.Receipt {
		if _, there := full[name]; !there && len(rule.Success.Receipt) == 1 {
			full[name] = reference
		} else if !there {
			full[name] = ""
		}
	}
	return full
}

// submitName is which submit of the manifest a step intended last.
func (p *past) submitName(path string) string {
	for _, record := range slices.Backward(p.submits[path]) {
		var intent wire.IntentData
		if record.Kind == wire.RecordIntent && json.Unmarshal(record.Data, &intent) == nil {
			return intent.Submit
		}
	}
	return ""
}

// openSubmit is the path of a step whose submit is open, "" if there is none.
func (p *past) openSubmit() string {
	for path := range p.submits {
		if p.standing(path).open() {
			return path
		}
	}
	return ""
}

func inDoubt(path string) *fault.Error {
	return fault.New(fault.Waiting, "in_doubt", "step %s: it is not known whether the form arrived", path).
		WithHint("look in the business system, then answer: submitted or not submitted")
}

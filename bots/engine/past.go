package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// past is what the journal tells about this run: what is finished, what was
// recorded, and where every submit stands.
type past struct {
	finished map[string]json.RawMessage      // value of finished steps, by path
	failures map[string][]*wire.Exception    // failed attempts, by path
	attempts map[string]int                  // highest attempt, by path
	calls    map[wire.JournalKey]recorded    // newest value of a call; Attempt is 0 in the key
	submits  map[string][]wire.JournalRecord // records of a step's submit, by path
	waits    map[string]wire.JournalRecord   // the wait with which a step's records end, by path
	outside  []recorded                      // what happened outside any step, in order
	cursor   int                             // how much of outside this evaluation has met
	begun    string                          // top-level step that had begun and not finished
}

// recorded is one finished step or value from outside.
type recorded struct {
	key   wire.JournalKey // Attempt is 0
	args  string
	value json.RawMessage
}

func remember(journal []wire.JournalRecord) *past {
	p := &past{
		finished: map[string]json.RawMessage{}, failures: map[string][]*wire.Exception{}, attempts: map[string]int{},
		calls: map[wire.JournalKey]recorded{}, submits: map[string][]wire.JournalRecord{}, waits: map[string]wire.JournalRecord{},
	}
	for _, record := range journal {
		p.add(record)
		p.place(record)
	}
	return p
}

const stepCall = "step"

// add takes in one record, from the journal or newly written.
func (p *past) add(record wire.JournalRecord) {
	path := record.Key.Step
	p.attempts[path] = max(p.attempts[path], record.Key.Attempt)
	delete(p.waits, path)
	switch record.Kind {
	case wire.RecordTimer:
		p.waits[path] = record
	case wire.RecordResult:
		var data wire.ResultData
		if json.Unmarshal(record.Data, &data) != nil {
			return // a damaged record says nothing: the call is made again
		}
		p.addResult(record, data)
	case wire.RecordIntent, wire.RecordPrepared, wire.RecordOutcome, wire.RecordUnknown, wire.RecordReconciled:
		p.submits[path] = append(p.submits[path], record)
	}
}

func (p *past) addResult(record wire.JournalRecord, data wire.ResultData) {
	key := withoutAttempt(record.Key)
	switch {
	case key.Call != stepCall:
		p.calls[key] = recorded{key: key, args: record.Args, value: data.Value}
	case data.Error != nil:
		p.failures[key.Step] = append(p.failures[key.Step], data.Error)
	default:
		p.finished[key.Step] = data.Value
	}
}

// place keeps the order of what happened outside any step. Only the journal
// that a run starts with is replayed, so only its records are placed.
func (p *past) place(record wire.JournalRecord) {
	key := withoutAttempt(record.Key)
	if key.Step != "" {
		p.begun, _, _ = strings.Cut(key.Step, "/")
	}
	if record.Kind != wire.RecordResult {
		return
	}
	switch value, done := p.finished[key.Step]; {
	case key.Step == "":
		p.outside = append(p.outside, p.calls[key])
	case done && key.Call == stepCall && key.Step == p.begun:
		p.outside = append(p.outside, recorded{key: key, value: value})
		p.begun = ""
	}
}

func withoutAttempt(key wire.JournalKey) wire.JournalKey {
	key.Attempt = 0
	return key
}

// call gives the recorded value of a call. Inside a step one whose arguments
// differ is superseded; outside, it is a divergence.
func (p *past) call(key wire.JournalKey, args string) (json.RawMessage, bool, error) {
	key = withoutAttempt(key)
	if key.Step == "" {
		return p.next(key, args)
	}
	found, ok := p.calls[key]
	if !ok || found.args != args {
		return nil, false, nil
	}
	return found.value, true, nil
}

// step gives the value of a finished step.
func (p *past) step(path string) (json.RawMessage, bool, error) {
	if !strings.Contains(path, "/") {
		return p.next(wire.JournalKey{Step: path, Call: stepCall}, "")
	}
	value, ok := p.finished[path]
	return value, ok, nil
}

// next is what must happen now outside any step, while the journal knows it.
func (p *past) next(key wire.JournalKey, args string) (json.RawMessage, bool, error) {
	if p.cursor < len(p.outside) {
		want := p.outside[p.cursor]
		if want.key != key || want.args != args {
			return nil, false, diverged(name(want.key, want.args), name(key, args))
		}
		p.cursor++
		return want.value, true, nil
	}
	if p.begun != "" && p.begun != key.Step {
		return nil, false, diverged("step "+p.begun, name(key, args))
	}
	p.begun = ""
	return nil, false, nil
}

// complete fails when the script ended before all that the journal holds.
func (p *past) complete() error {
	switch {
	case p.cursor < len(p.outside):
		return diverged(name(p.outside[p.cursor].key, p.outside[p.cursor].args), "the end of the script")
	case p.begun != "":
		return diverged("step "+p.begun, "the end of the script")
	}
	return nil
}

// name says which call it is, so that two that differ read differently.
func name(key wire.JournalKey, args string) string {
	if key.Call == stepCall {
		return "step " + key.Step
	}
	return fmt.Sprintf("%s (call %d, arguments %.15s)", key.Call, key.Ordinal, args)
}

func diverged(before, now string) error {
	return fault.New(fault.Application, "diverged", "the journal has %s here, the script now does %s", before, now).
		WithHint("what run(input) does outside steps may depend only on its input and on values that builtins gave; start a new run")
}

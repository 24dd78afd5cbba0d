package submit

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Settle looks up what became of a submit that an earlier runner may have sent,
// whichever module made it: nothing is opened but what the probe opens to look.
// It is what a modules.Settler does.
func Settle(rt modules.Runtime, thread *starlark.Thread, scope modules.Scope, done func()) (map[string]string, bool, error) {
	before, err := remember(scope.History())
	if err != nil {
		return nil, false, fmt.Errorf("read the records of the submit: %w", err)
	}
	rule, err := ruleOf(rt, before.intent.Submit)
	if err != nil {
		return nil, false, err
	}
	call := guard.Call{Submit: rule, Key: splitKey(before.intent.Key), Values: before.intent.Values}
	if look, ok := rt.Global(before.intent.Probe); ok {
		call.Probe = probing(rt, thread, look, call.Key, done)
	}
	proxy, err := rt.Guard()
	if err != nil {
		return nil, false, err
	}
	result, err := proxy.Settle(rt.Context(), call, before.past, scope)
	if result.State == wire.SubmitNotProcessed && fault.HasCode(err, "not_processed") {
		return nil, false, nil // provably absent: the step is done again
	}
	return result.Receipt, err == nil, err
}

// history is what the journal knows of an open submit.
type history struct {
	intent wire.IntentData
	past   guard.Past
}

func remember(records []wire.JournalRecord) (history, error) {
	var h history
	for _, record := range records {
		switch record.Kind {
		case wire.RecordIntent:
			h = history{}
			if err := json.Unmarshal(record.Data, &h.intent); err != nil {
				return history{}, err
			}
		case wire.RecordPrepared:
			h.past.Prepared = record.Up
		case wire.RecordUnknown:
			h.past.Doubted, h.past.Unknown = true, record.Up
		}
	}
	return h, nil
}

// splitKey takes a canonical business key apart: the reverse of guard.BusinessKey.
func splitKey(key string) []string {
	parts, part, escaped := []string{}, strings.Builder{}, false
	for _, r := range key {
		switch {
		case escaped:
			part.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '|':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(parts, part.String())
}

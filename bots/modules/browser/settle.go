package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

var _ modules.Settler = (*module)(nil)

// Settle looks up what became of a submit that an earlier runner may have sent:
// nothing is opened but what the probe opens to look.
func (m *module) Settle(thread *starlark.Thread, scope modules.Scope) (map[string]string, bool, error) {
	before, err := past(scope.History())
	if err != nil {
		return nil, false, fmt.Errorf("read the records of the submit: %w", err)
	}
	rule, err := m.rule(before.intent.Submit)
	if err != nil {
		return nil, false, err
	}
	call := guard.Call{Submit: rule, Key: splitKey(before.intent.Key), Values: before.intent.Values}
	if look, ok := m.rt.Global(before.intent.Probe); ok {
		if call.Probe, err = m.probe(thread, look, call.Key); err != nil {
			return nil, false, err
		}
	}
	ctx := m.rt.Context()
	if err := m.openProxy(ctx); err != nil {
		return nil, false, fmt.Errorf("open the run's proxy: %w", err)
	}
	result, err := m.proxy.Settle(ctx, call, before.sent, before.unknown, scope)
	if result.State == wire.SubmitNotProcessed && fault.HasCode(err, "not_processed") {
		return nil, false, nil // provably absent: the step is done again
	}
	return result.Receipt, err == nil, err
}

// history is what the journal knows of an open submit.
type history struct {
	intent  wire.IntentData
	sent    time.Time // the last moment at which it may have been sent
	unknown bool      // the doubt itself is recorded
}

func past(records []wire.JournalRecord) (history, error) {
	var h history
	for _, record := range records {
		switch record.Kind {
		case wire.RecordIntent:
			h = history{}
			if err := json.Unmarshal(record.Data, &h.intent); err != nil {
				return history{}, err
			}
		case wire.RecordPrepared:
			h.sent = record.At
		case wire.RecordUnknown:
			h.sent, h.unknown = record.At, true
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

// naming is a step's recorder that writes into the intent which function looks
// the record up, so that another runner can ask it.
type naming struct {
	guard.Recorder
	probe string
}

// Record journals one record of the submit.
func (n naming) Record(ctx context.Context, kind wire.RecordKind, data any) error {
	if intent, ok := data.(wire.IntentData); ok {
		intent.Probe = n.probe
		data = intent
	}
	return n.Recorder.Record(ctx, kind, data)
}

package journal

import (
	"encoding/json"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Signals that are journaled.
const (
	SignalResume   = "resume"   // a run that broke off is taken up again
	SignalCancel   = "cancel"   // somebody wants it to stop
	SignalAnswer   = "answer"   // a person has decided, it goes on
	SignalRestored = "restored" // the device was restored: what was sent since may be missing here
)

// Signal journals that somebody told the run something.
func Signal(tx *store.Tx, run string, by wire.By, what string) error {
	data, err := json.Marshal(wire.SignalData{Signal: what})
	if err != nil {
		return fmt.Errorf("encode signal: %w", err)
	}
	_, err = Append(tx, wire.JournalRecord{Run: run, Kind: wire.RecordSignal, Data: data, By: by})
	return err
}

// SignalOf is what a record tells the run, "" if it is no signal.
func SignalOf(r wire.JournalRecord) string {
	if r.Kind != wire.RecordSignal {
		return ""
	}
	return data[wire.SignalData](r).Signal
}

// WasRestored reports whether the run was open when the device was restored.
func WasRestored(records []wire.JournalRecord) bool {
	for _, r := range records {
		if SignalOf(r) == SignalRestored {
			return true
		}
	}
	return false
}

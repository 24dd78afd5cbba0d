package journal

import (
	"encoding/json"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// advance checks that r may follow, moves the head over it and does to the
// business key what r means.
func advance(tx *store.Tx, h *head, r wire.JournalRecord) error {
	switch r.Kind {
	case wire.RecordStart:
		return h.start(r)
	case wire.RecordIntent:
		if h.Open == sent {
			return openFault("a submit before this one may have been sent")
		}
		return h.claim(tx, r)
	case wire.RecordPrepared, wire.RecordUnknown:
		if h.Open == closed {
			return orderFault("%s without INTENT", r.Kind)
		}
		h.Open = sent
		return nil
	case wire.RecordOutcome:
		return h.outcome(tx, r)
	case wire.RecordReconciled:
		return h.reconciled(tx, r)
	case wire.RecordEnd:
		return h.end(tx, r.Run)
	case wire.RecordResult, wire.RecordTimer, wire.RecordSignal:
		return nil
	default:
		return orderFault("unknown kind of record %q", r.Kind)
	}
}

func (h *head) start(r wire.JournalRecord) error {
	var start wire.StartData
	if err := json.Unmarshal(r.Data, &start); err != nil {
		return orderFault("the data of START: %w", err)
	}
	h.Pack = start.Bot
	return nil
}

// outcome settles or frees the key. Without an intent an outcome can only tell
// that nothing was sent: the look-up found a record, or we refused.
func (h *head) outcome(tx *store.Tx, r wire.JournalRecord) error {
	var outcome wire.OutcomeData
	if err := json.Unmarshal(r.Data, &outcome); err != nil {
		return orderFault("the data of OUTCOME: %w", err)
	}
	switch outcome.State {
	case wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		if h.Open != closed {
			return h.settle(tx, r.Run, outcome.State, outcome.Receipt)
		}
		if outcome.State == wire.SubmitAcknowledged {
			return orderFault("an answer without INTENT")
		}
		return h.foundEarly(tx, r.Run, outcome.Key)
	case wire.SubmitRejected, wire.SubmitRefused, wire.SubmitNotProcessed:
		return h.free(tx, r.Run)
	case wire.SubmitInDoubt:
		if h.Open == closed {
			return orderFault("doubt without INTENT")
		}
		h.Open = sent
		return nil
	default:
		return orderFault("unknown outcome %q", outcome.State)
	}
}

func (h *head) reconciled(tx *store.Tx, r wire.JournalRecord) error {
	var told wire.ReconciledData
	if err := json.Unmarshal(r.Data, &told); err != nil {
		return orderFault("the data of RECONCILED: %w", err)
	}
	if h.Open != sent {
		return orderFault("RECONCILED without a submit in doubt")
	}
	switch told.State {
	case wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		return h.settle(tx, r.Run, told.State, told.Receipt)
	case wire.SubmitNotProcessed:
		return h.free(tx, r.Run)
	case wire.SubmitInDoubt: // the look-up could not tell either
		return nil
	default:
		return orderFault("unknown answer %q in RECONCILED", told.State)
	}
}

func (h *head) end(tx *store.Tx, run string) error {
	if h.Open == sent {
		return openFault("a submit of this run may have been sent")
	}
	h.Ended = true
	return h.free(tx, run) // an intent that was never prepared was never sent
}

func openFault(what string) error {
	return fault.New(fault.Application, "submit_open", "%s and its answer is not known", what).
		WithHint("look the business key up first; without an answer the run is in doubt")
}

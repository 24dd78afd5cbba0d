package wire

import (
	"encoding/json"
	"time"
)

// RecordKind is the type of a journal record.
type RecordKind string

// The kinds. A run's journal is START … END; a call is RESULT; a submit is
// INTENT, PREPARED ("may have been sent"), then OUTCOME, or UNKNOWN followed by
// RECONCILED once the business system or a person has told.
const (
	RecordStart      RecordKind = "start"
	RecordResult     RecordKind = "result"
	RecordIntent     RecordKind = "intent"
	RecordPrepared   RecordKind = "prepared"
	RecordOutcome    RecordKind = "outcome"
	RecordUnknown    RecordKind = "unknown"
	RecordReconciled RecordKind = "reconciled"
	RecordTimer      RecordKind = "timer"
	RecordSignal     RecordKind = "signal"
	RecordEnd        RecordKind = "end"
)

// JournalVersion is the layout version written into new records.
const JournalVersion = 1

// JournalKey names the place of a call in a script, never by line number:
// the step path, the attempt of that step, the call and its ordinal within them.
type JournalKey struct {
	Step    string `json:"step"` // "" outside any step; nested steps joined with "/"
	Attempt int    `json:"attempt"`
	Call    string `json:"call"` // step | ocr.read | review | now | uuid | submit | form.fill | …
	Ordinal int    `json:"ordinal"`
}

// JournalRecord is one durable line of a run. The runner fills Kind, Key, Args
// and Data; the agent fills the rest when it writes, and chains Hash over Prev.
type JournalRecord struct {
	V    int             `json:"v"`
	Run  string          `json:"run"`
	N    uint64          `json:"n"` // position, from 1, gapless
	Kind RecordKind      `json:"kind"`
	Key  JournalKey      `json:"key"`
	Args string          `json:"args,omitempty"` // digest of the canonical arguments
	Data json.RawMessage `json:"data,omitempty"`
	MS   int64           `json:"ms,omitempty"`
	At   time.Time       `json:"at"`
	Up   *Uptime         `json:"up,omitempty"` // of the records that a wait is measured from
	By   By              `json:"by"`
	Prev string          `json:"prev"`
	Hash string          `json:"hash"`
}

// Uptime is a moment by the machine's own clock, which no change of the date can move.
type Uptime struct {
	Boot string `json:"boot"` // random, new with each start of the machine
	MS   int64  `json:"ms"`   // since then
}

// ResultData is the Data of a RESULT: a value, or the coded error it ended with.
type ResultData struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error *Exception      `json:"error,omitempty"`
}

// IntentData is the Data of an INTENT: what is about to be sent, before the press.
type IntentData struct {
	Submit string            `json:"submit"` // name in the manifest
	Key    string            `json:"key"`    // canonical business key, unique per pack and window
	Window string            `json:"window"` // key_window, Go duration
	Values map[string]string `json:"values"` // label → intended value
	Digest string            `json:"digest"` // over submit, key, values and rule
	Guard  string            `json:"guard"`  // payload | page
	Fields int               `json:"fields"`
	Probe  string            `json:"probe,omitempty"` // name of the script's look-up function
}

// PreparedData is the Data of PREPARED: the compared request, from now on possibly sent.
type PreparedData struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body"` // digest
	Bytes  int64  `json:"bytes"`
}

// Submit states of OutcomeData and SubmitView.
const (
	SubmitAcknowledged = "acknowledged"
	SubmitAlreadyThere = "already_there"
	SubmitRejected     = "rejected"
	SubmitRefused      = "refused"
	SubmitNotProcessed = "not_processed"
	SubmitInDoubt      = "in_doubt"
)

// OutcomeData is the Data of OUTCOME.
type OutcomeData struct {
	State      string            `json:"state"`
	Reason     string            `json:"reason,omitempty"` // code, for refused
	Receipt    map[string]string `json:"receipt,omitempty"`
	Message    string            `json:"message,omitempty"`
	Status     int               `json:"status,omitempty"`
	Mismatches []Mismatch        `json:"mismatches,omitempty"`
	GuardMS    float64           `json:"guard_ms,omitempty"` // what the guard added

	// Of an outcome without INTENT, named as there: the look-up has found the record.
	Submit string `json:"submit,omitempty"`
	Key    string `json:"key,omitempty"`
	Fields int    `json:"fields,omitempty"`
}

// UnknownData is the Data of UNKNOWN: sent or perhaps sent, and no answer we can read.
type UnknownData struct {
	Reason string `json:"reason"` // cut | timeout | unreadable_reply | crash | cancelled
	Status int    `json:"status,omitempty"`
}

// ReconciledData is the Data of RECONCILED: what the look-up or a person said.
type ReconciledData struct {
	State   string            `json:"state"` // acknowledged | not_processed
	Receipt map[string]string `json:"receipt,omitempty"`
	By      string            `json:"by"` // probe | person
}

// StartData is the Data of START: what the run is pinned to.
type StartData struct {
	Bot     string            `json:"bot"`
	Version string            `json:"version"`
	Digest  string            `json:"digest"`
	Trust   string            `json:"trust"`
	Trigger string            `json:"trigger"`
	Inputs  json.RawMessage   `json:"inputs"`
	Origins map[string]string `json:"origins"`
}

// TimerData is the Data of TIMER: a wait that holds over restarts. It began when
// the record was written.
type TimerData struct {
	Name     string `json:"name"` // backoff | settle
	LengthMS int64  `json:"length_ms"`
}

// SignalData is the Data of SIGNAL: what somebody told the run.
type SignalData struct {
	Signal string `json:"signal"` // resume | cancel | answer | restored
}

// EndData is the Data of END.
type EndData struct {
	State     RunState        `json:"state"`
	Output    json.RawMessage `json:"output,omitempty"`
	Exception *Exception      `json:"exception,omitempty"`
}

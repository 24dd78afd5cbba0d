package wire

import (
	"encoding/json"
	"time"
)

// RunState is the life cycle state of a run (DESIGN: words).
type RunState string

// The states. The last five are final.
const (
	Queued    RunState = "queued"
	Running   RunState = "running"
	WaitingOn RunState = "waiting"
	InDoubt   RunState = "in_doubt"
	Succeeded RunState = "succeeded"
	Failed    RunState = "failed"
	Cancelled RunState = "cancelled"
	Missed    RunState = "missed"
)

// Final reports whether a run in this state is over. An in-doubt run is not:
// a person still decides.
func (s RunState) Final() bool {
	return s == Succeeded || s == Failed || s == Cancelled || s == Missed
}

// Exception is why a run did not succeed.
type Exception struct {
	Kind    string `json:"kind"` // business | application
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Where   string `json:"where,omitempty"` // file:line:column and the script's call stack
	Class   string `json:"class,omitempty"` // fault.Class, which decides the exit code
}

// StepView is one line of a run's progress. Kind: step, ocr, submit, review, …
type StepView struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	State    string `json:"state"` // running | done | failed | in_doubt
	MS       int64  `json:"ms"`
	Attempts int    `json:"attempts"`
}

// Mismatch is one difference between what was meant and what would have been sent.
// Values are masked unless the reader may see them.
type Mismatch struct {
	Field  string `json:"field"`
	Path   string `json:"path"`
	Code   string `json:"code"` // differs | missing | unexpected_field | constant | ambiguous
	Meant  string `json:"meant"`
	Actual string `json:"actual"`
}

// SubmitView is one guarded submit of a run.
type SubmitView struct {
	Name       string     `json:"name,omitempty"`
	Key        string     `json:"key"`
	State      string     `json:"state"` // acknowledged | already_there | rejected | refused | not_processed | in_doubt
	Guard      string     `json:"guard"` // payload | page
	Fields     int        `json:"fields"`
	Mismatches []Mismatch `json:"mismatches"`
	Attempts   int        `json:"attempts"`
	GuardMS    float64    `json:"guard_ms"`

	Receipt   map[string]string `json:"receipt,omitempty"`    // what the business system gave
	KeyWindow string            `json:"key_window,omitempty"` // how long the key stays taken, Go duration
}

// FormView is one filled form of a run.
type FormView struct {
	Form   string `json:"form"`
	Fields int    `json:"fields"`
	Healed int    `json:"healed"`
	MS     int64  `json:"ms"`
}

// EvidenceRef points to a stored picture or page. The bytes are encrypted at rest.
type EvidenceRef struct {
	Digest    string    `json:"digest"` // of the plain bytes
	Kind      string    `json:"kind"`   // before_submit | after_submit | input | failure
	MediaType string    `json:"media_type"`
	Bytes     int64     `json:"bytes"`
	Step      string    `json:"step,omitempty"`
	At        time.Time `json:"at"`
}

// Run is a run's record as commands print it and head office keeps it.
type Run struct {
	Run          string            `json:"run"`
	Bot          string            `json:"bot"`
	Version      string            `json:"version"`
	Digest       string            `json:"digest"`
	Trust        string            `json:"trust"`   // signed | embedded | unsigned
	Trigger      string            `json:"trigger"` // manual | schedule | api | command
	State        RunState          `json:"state"`
	Output       json.RawMessage   `json:"output"`
	Exception    *Exception        `json:"exception"`
	Steps        []StepView        `json:"steps"`
	Submits      []SubmitView      `json:"submits"`
	Forms        []FormView        `json:"forms"`
	Evidence     []EvidenceRef     `json:"evidence"`
	Origins      map[string]string `json:"origins,omitempty"` // site name → origin used
	By           By                `json:"by"`
	MinutesSaved int               `json:"minutes_saved,omitempty"`
	BusinessDate string            `json:"business_date"` // YYYY-MM-DD, device's local day
	Started      time.Time         `json:"started"`
	Finished     *time.Time        `json:"finished"`
}

// Package host is the narrow door between a run and the process that owns the
// data. The runner (a child process) evaluates a script and drives a browser;
// everything durable, secret or shared it asks for here. The agent implements
// Host; over the pipe it looks the same as in a test.
package host

import (
	"context"
	"encoding/json"
	"time"

	"branchbot/internal/wire"
	"branchbot/ocr"
)

// Host is what a run may ask for.
type Host interface {
	// Append writes one journal record and returns it completed (N, At, By,
	// hashes) after it is on disk. An INTENT whose business key is taken fails
	// with already_submitted or key_in_doubt (business) and writes nothing.
	Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error)
	// Secret returns the values of a stored secret and the origin that may
	// receive them. Codes: secret_unknown, secret_origin.
	Secret(ctx context.Context, name string) (Secret, error)
	// ReadDocument reads a picture with the device's OCR workers.
	ReadDocument(ctx context.Context, request ocr.Request) (ocr.Document, error)
	// PutEvidence stores a picture or page, encrypted, by digest. Best effort:
	// a full disk sheds evidence before anything else (code evidence_shed).
	PutEvidence(ctx context.Context, evidence Evidence) (wire.EvidenceRef, error)
	// Observe reports progress and log lines that need not survive.
	Observe(event Event)
}

// Secret is a stored secret on its way to a page. It never enters a script
// value, the journal, a log or a picture.
type Secret struct {
	Name   string            `json:"name"`
	Origin string            `json:"origin"`
	Values map[string]string `json:"values"` // one part "value", or the parts of a JSON object
}

// Evidence is bytes to keep.
type Evidence struct {
	Kind      string `json:"kind"`
	MediaType string `json:"media_type"`
	Step      string `json:"step"`
	Bytes     []byte `json:"bytes"`
}

// Event is a report that may be lost: a step began, a form was filled, a line was logged.
type Event struct {
	Kind    string         `json:"kind"` // step | call | form | log | drift | picture
	Step    string         `json:"step,omitempty"`
	Name    string         `json:"name,omitempty"`
	State   string         `json:"state,omitempty"`
	Attempt int            `json:"attempt,omitempty"`
	MS      int64          `json:"ms,omitempty"`
	Level   string         `json:"level,omitempty"`
	Message string         `json:"message,omitempty"`
	Form    *wire.FormView `json:"form,omitempty"`
	At      time.Time      `json:"at"`
}

// Start is all a runner needs to begin or to resume a run.
type Start struct {
	Run      string                     `json:"run"`
	Bot      string                     `json:"bot"`
	Trust    string                     `json:"trust"`  // signed | embedded | unsigned
	Pack     []byte                     `json:"pack"`   // the pack as zip bytes
	Digest   string                     `json:"digest"` // the runner checks it
	Inputs   map[string]json.RawMessage `json:"inputs"` // validated; a file is {"path","name","digest","media_type"}
	Origins  map[string]string          `json:"origins"`
	Roots    []byte                     `json:"roots,omitempty"` // PEM, the bank's own CAs
	Browser  BrowserSettings            `json:"browser"`
	Deadline time.Time                  `json:"deadline"`
	Journal  []wire.JournalRecord       `json:"journal,omitempty"` // what already happened
	Scratch  string                     `json:"scratch"`           // private folder, wiped afterwards
	// LookFirst: this device was restored, something may have been sent that it
	// does not remember. Every submit looks its key up before the first press,
	// whatever probe_first says; one that cannot be looked up is not sent.
	LookFirst bool `json:"look_first,omitempty"`
	// SettleOnly: the run was told to end while a submit of it may have been sent.
	// It does nothing new: it looks that submit up and is cancelled.
	SettleOnly bool `json:"settle_only,omitempty"`
}

// BrowserSettings say how Chromium is started.
type BrowserSettings struct {
	Path     string   `json:"path"`     // "" looks in the usual places
	Headed   bool     `json:"headed"`   // authors only
	Language string   `json:"language"` // of pages, zh-CN by default
	Proxy    string   `json:"proxy"`    // the bank's CONNECT proxy, "" for none
	Helper   []string `json:"helper"`   // command that resets limits and becomes the browser
}

// Finish is what a runner reports last. The agent writes END from it.
type Finish struct {
	State     wire.RunState   `json:"state"`
	Output    json.RawMessage `json:"output,omitempty"`
	Exception *wire.Exception `json:"exception,omitempty"`
	Forms     []wire.FormView `json:"forms,omitempty"`
}

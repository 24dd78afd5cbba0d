// Package control is how commands and the agent of one device meet. Operator is
// what can be asked; an open agent answers it directly, and a running one over
// its loopback API (Handler and Client), guarded by a token file in the data
// folder that only its user may read.
package control

import (
	"context"
	"encoding/json"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Operator is what people and scripts ask of the process that owns a data folder.
// Every method has one input and one output, so that it travels as one JSON call.
type Operator interface {
	Trigger(context.Context, Trigger) (wire.Run, error)
	Runs(context.Context, RunsQuery) ([]wire.Run, error)
	Run(context.Context, string) (wire.Run, error)
	Await(context.Context, string) (wire.Run, error) // until final, waiting or in doubt
	Cancel(context.Context, Cancel) (wire.Run, error)
	Answer(context.Context, Answer) (wire.Run, error)
	Resume(context.Context, Resume) (wire.Run, error)
	Outbox(context.Context, Nothing) (Outbox, error)
	Enroll(context.Context, Enroll) (Enrolled, error)
	SetSecret(context.Context, Secret) (Nothing, error)
	Secrets(context.Context, Nothing) ([]Secret, error)
	DeleteSecret(context.Context, string) (Nothing, error)
	SetSite(context.Context, Site) (Nothing, error)
	Sites(context.Context, Nothing) ([]Site, error)
	DeleteSite(context.Context, string) (Nothing, error)
}

// Nothing is the empty input or output.
type Nothing struct{}

// File is an input file that travels with a trigger.
type File struct {
	Name  string `json:"name"`
	Bytes []byte `json:"bytes"`
}

// Trigger asks for a run. Pack is the bytes of an unsigned pack, or empty for a
// bot that the device has by name.
type Trigger struct {
	Bot     string                     `json:"bot"`
	Pack    []byte                     `json:"pack,omitempty"`
	Values  map[string]json.RawMessage `json:"values,omitempty"`
	Files   map[string]File            `json:"files,omitempty"`
	Trigger string                     `json:"trigger"` // manual | schedule | api | command
	By      wire.By                    `json:"by"`
	Headed  bool                       `json:"headed,omitempty"`
}

// RunsQuery limits a list of runs, newest first.
type RunsQuery struct {
	Limit int `json:"limit"`
}

// Cancel asks a run to stop. What may have been sent is still learned first.
type Cancel struct {
	Run string  `json:"run"`
	By  wire.By `json:"by"`
}

// Answer is what a person decides about a run that waits or is in doubt.
// Exactly one of Submitted, NotSubmitted, Fields and Cancel is set.
type Answer struct {
	Run          string            `json:"run"`
	By           wire.By           `json:"by"`
	Submitted    string            `json:"submitted,omitempty"` // the reference in the business system
	NotSubmitted bool              `json:"not_submitted,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	Cancel       bool              `json:"cancel,omitempty"`
}

// Resume asks for an interrupted run to go on. Headed is for a run in the foreground.
type Resume struct {
	Run    string `json:"run"`
	Headed bool   `json:"headed,omitempty"`
}

// Outbox is the state of the line to head office.
type Outbox struct {
	Waiting         uint64     `json:"waiting"`
	Oldest          *time.Time `json:"oldest"`
	AcknowledgedSeq uint64     `json:"acknowledged_seq"`
	Epoch           string     `json:"epoch"`
	HeadOffice      string     `json:"head_office"` // online | offline | not enrolled

	Incarnation  string        `json:"incarnation,omitempty"` // of head office; another one was restored or is another office
	FormerEpochs []FormerEpoch `json:"former_epochs"`         // of which something is still here
	Halted       *Halted       `json:"halted"`                // head office does not let this device in: null when it does
	Events       []LineEvent   `json:"events"`                // what befell the line: epoch, incarnation, gap, refused
	Disk         string        `json:"disk"`                  // ample | low | critical | full
	Database     Database      `json:"database"`
}

// Database is what is known of damage in the device's database, and of its copies.
type Database struct {
	Damage    store.Quarantine `json:"damage"`
	Restored  *store.Restored  `json:"restored"` // null for a database that was never put together again
	Snapshots store.Copies     `json:"snapshots"`
}

// FormerEpoch is an epoch that ended.
type FormerEpoch struct {
	Epoch   string `json:"epoch"`
	Waiting uint64 `json:"waiting"`
}

// Halted is why head office does not let this device in; enrolling again ends it.
type Halted struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint"`
	Since   time.Time `json:"since"`
}

// LineEvent is something that befell the line to head office.
type LineEvent struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail"`
}

// Enroll binds the device to a head office.
type Enroll struct {
	HeadOffice string `json:"head_office"`
	Token      string `json:"token"`
}

// Enrolled says who the device is now.
type Enrolled struct {
	Device     string    `json:"device"`
	HeadOffice string    `json:"head_office"`
	Expires    time.Time `json:"expires"` // of the client certificate
}

// Secret names a stored secret; Value travels only towards the store.
type Secret struct {
	Name  string `json:"name"`
	Site  string `json:"site"`
	Value string `json:"value,omitempty"`
}

// Site binds a pack's site name to an origin.
type Site struct {
	Name   string `json:"name"`
	Origin string `json:"origin"`
}

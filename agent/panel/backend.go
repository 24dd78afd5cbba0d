package panel

import (
	"context"
	"encoding/json"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// Backend is what the panel needs from the agent. Errors carry the codes of
// package fault; the page puts them into words.
type Backend interface {
	// Bots lists what can be started on this device, in the order shown.
	Bots(ctx context.Context) ([]Bot, error)
	// Keep stores an uploaded file, encrypted, and returns its digest. A file
	// that no run takes up may be deleted after a day.
	Keep(ctx context.Context, file File) (digest string, err error)
	// Start writes a run down and lets it begin; its files were kept before.
	// Codes: bot_unknown, input_missing, input_invalid, unsigned_refused, …
	Start(ctx context.Context, start Start) (run string, err error)
	// Runs lists the newest runs first.
	Runs(ctx context.Context, limit int) ([]wire.Run, error)
	// Run returns one run. Code: run_unknown.
	Run(ctx context.Context, run string) (wire.Run, error)
	// Watch sends the present state of a run and then each newer one, the last
	// one being final; it may leave out states in between for a slow reader. The
	// channel is closed after a final state and when ctx is done.
	Watch(ctx context.Context, run string) (<-chan wire.Run, error)
	// Cancel asks a run to stop; one with an open submit becomes in doubt.
	Cancel(ctx context.Context, run string, by wire.By) error
	// Answer records what a person decided about a run in doubt.
	Answer(ctx context.Context, run string, answer Answer) error
	// Evidence returns a picture of this run. Code: evidence_unknown.
	Evidence(ctx context.Context, run, digest string) (Picture, error)
	// Status is shown in the header of every page; it must answer at once.
	Status(ctx context.Context) Status
}

// Bot is a bot that can be started here.
type Bot struct {
	Manifest *pack.Manifest
	Trust    string // signed | embedded | unsigned
}

// File is an uploaded file. Its media type was found by looking at the bytes.
type File struct {
	Name      string
	MediaType string
	Bytes     []byte
}

// Start asks for a run.
type Start struct {
	Bot    string
	Values map[string]json.RawMessage // inputs that are no files: strings and booleans, as typed
	Files  map[string]FileRef         // file inputs
	By     wire.By
}

// FileRef names a kept file.
type FileRef struct {
	Name      string
	MediaType string
	Digest    string
}

// Decisions of an Answer.
const (
	DecisionSubmitted    = "submitted"     // the business system has it; Reference says under which number
	DecisionNotSubmitted = "not_submitted" // it is provably absent; a new attempt may be made
	DecisionCancel       = "cancel"        // it is absent, and nothing more shall be done
)

// Answer is what a person decided about a run in doubt.
type Answer struct {
	Decision  string
	Reference string
	By        wire.By
}

// Picture is a piece of evidence.
type Picture struct {
	MediaType string
	Bytes     []byte
}

// Reach of head office.
const (
	Online      = "online"
	Offline     = "offline"
	NotEnrolled = "not_enrolled"
)

// Status is the device in one glance.
type Status struct {
	HeadOffice    string // online | offline | not_enrolled
	Waiting       int    // results not yet at head office
	AllowUnsigned bool   // shown on every page
	Disk          string // ample | low | critical | full; all but the first are shown on every page
}

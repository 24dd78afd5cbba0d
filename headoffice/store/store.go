package store

import (
	"context"
	"iter"
	"time"
)

// Store is head office's database. Methods are safe for concurrent use.
type Store interface {
	// Incarnation is random, made with the database and new after a restore.
	Incarnation() string
	// Stamp changes whenever something that the console shows has changed.
	Stamp(ctx context.Context) (string, error)
	// KeepKey stores a key under its name unless one is there, and returns the
	// one that is stored, so that two nodes starting at once agree.
	KeepKey(ctx context.Context, key Key) (Key, error)
	// Key returns a stored key. Code: key_unknown.
	Key(ctx context.Context, name string) (Key, error)

	// AddTokens stores one-time enrolment tokens (their hashes). Code: device_unknown
	// for one that names a device of which nothing is known.
	AddTokens(ctx context.Context, tokens []Token) error
	// Claim uses a token for one device key, at most once. The same key may
	// come again (its reply was lost, or it waited for approval) and gets its
	// own device back. A token that names a device enrols it again, under its old
	// id: a halt ends, the earlier key is out. Codes: token_unknown, token_used,
	// token_expired.
	Claim(ctx context.Context, hash string, candidate Device) (Device, error)
	// Certify records the certificate a device got; earlier ones end with it.
	// Code: device_unknown.
	Certify(ctx context.Context, device string, certificate Certificate) error
	// Device returns one device. Code: device_unknown.
	Device(ctx context.Context, id string) (Device, error)
	// Devices lists all, newest first.
	Devices(ctx context.Context) ([]Device, error)
	// Approve lets a waiting device in. Codes: device_unknown, device_not_waiting.
	Approve(ctx context.Context, id string, by Actor) error
	// Revoke deletes the device's row; its records stay. Code: device_unknown.
	Revoke(ctx context.Context, id string, by Actor) error

	// Ingest takes batches in one durable transaction. A failed batch fails
	// alone: its result carries the error. The error returned is for all.
	Ingest(ctx context.Context, batches []Batch) ([]Result, error)
	// Epochs lists a device's sequences, the present one first, with what is
	// missing in them.
	Epochs(ctx context.Context, device string) ([]Epoch, error)
	// Incarnations lists the lives of this database, the latest first.
	Incarnations(ctx context.Context) ([]Incarnation, error)
	// Submitted lists a device's runs that were received since, by run id, from
	// behind after, with their records.
	Submitted(ctx context.Context, device string, since time.Time, after string) iter.Seq2[RunRow, error]
	// Copy writes a consistent copy to a new file while others work.
	Copy(ctx context.Context, path string, by Actor) error
	// Runs lists runs, newest first.
	Runs(ctx context.Context, filter RunFilter) iter.Seq2[RunRow, error]
	// Run returns one run. Code: run_unknown.
	Run(ctx context.Context, device, run string) (RunRow, error)
	// Counts gives the figures above the lists.
	Counts(ctx context.Context) (Counts, error)

	// AddLink stores a one-time console link (its hash).
	AddLink(ctx context.Context, link Link) error
	// UseLink turns a link into a session, at most once. Code: link_invalid.
	UseLink(ctx context.Context, hash string, session Session) (Session, error)
	// Session returns a live session. Code: session_unknown.
	Session(ctx context.Context, hash string, now time.Time) (Session, error)
	// EndSession forgets a session.
	EndSession(ctx context.Context, hash string) error

	Close() error
}

// Key is one of head office's own keys: Public as it is shown, Sealed wrapped.
type Key struct {
	Name   string
	Public []byte
	Sealed []byte
}

// Actor is who did something, for the audit trail.
type Actor struct {
	Person string
	Kind   string // wire.By… kinds
}

// Link is a one-time way into the console.
type Link struct {
	Hash    string
	Role    string
	Person  string
	Expires time.Time
}

// Session is a signed-in browser.
type Session struct {
	Hash    string
	Role    string
	Person  string
	CSRF    string
	Expires time.Time
}

// Counts are the figures above the console's lists.
type Counts struct {
	Devices, Waiting, Halted int            // devices by state
	Runs                     int            // all runs
	States                   map[string]int // runs by state
	Flagged                  int            // records that could not be decoded
	Missing                  int            // records that neither side has any more
}

package store

// Bucket is one table of the database file.
type Bucket string

// Every bucket of the file, with its keys and values. Values are JSON unless
// told otherwise, and always sealed. Keys are plain on the disk: nothing about a
// customer may stand in one (see Tx.Blind). N and times in keys are 8 bytes,
// big endian, so that key order is number order.
const (
	// Meta: "layout" → layout version · "epoch" → text, both written with a new
	// file · "floor" → commit numbers begin above it · "steady" → how the steady
	// clock stood · "restored" → Restored · "quarantine" → how much damage was found.
	Meta Bucket = "meta"

	// Journal: run 0x00 N → wire.JournalRecord. Written once, never changed.
	Journal Bucket = "journal"
	// JournalHeads: run → where its journal ends and which submit is open.
	JournalHeads Bucket = "journal_heads"
	// Keys: blinded (pack name, business key) → claim of a run.
	Keys Bucket = "keys"

	// Runs: run → wire.Run, the current view.
	Runs Bucket = "runs"
	// RunsByStart: start time, run → nothing. Newest first is read backwards.
	RunsByStart Bucket = "runs_by_start"
	// RunsOpen: run → nothing, while its state is not final.
	RunsOpen Bucket = "runs_open"

	// RunsOver: run → since when its state is final, by the steady clock.
	RunsOver Bucket = "runs_over"

	// Outbox: place in line → wire.Record as it is sent, waiting or kept after it was sent.
	Outbox Bucket = "outbox"
	// OutboxState: "state" → counters of the outbox · "epochs" → which places are which
	// epoch's · "events" → what befell the line · "refusal" → why head office lets us not in.
	OutboxState Bucket = "outbox_state"
	// OutboxSent: place → when head office told that it has all below.
	OutboxSent Bucket = "outbox_sent"

	// Secrets: name → values and the origin that may receive them.
	Secrets Bucket = "secrets"
	// Sites: name → origin.
	Sites Bucket = "sites"
	// Identity: "identity" → certificate and key of this device, its head office ·
	// "pending:" digest of a token → the key with which the device asks to enrol.
	Identity Bucket = "identity"

	// Evidence: digest (hex) → description of the file evidence/ab/<digest>.
	Evidence Bucket = "evidence"
	// EvidencePending: time, digest → nothing, until uploaded.
	EvidencePending Bucket = "evidence_pending"

	// Fires: schedule 0x00 local time → scheduler.Key and what became of it.
	Fires Bucket = "fires"
	// FiresSince: schedule 0x00 rule → up to when due times are dealt with.
	FiresSince Bucket = "fires_since"

	// Settings: name → value, for small things of the agent that have no table of
	// their own (a person's language, the last doctor report).
	Settings Bucket = "settings"
)

// QuarantineRows: bucket 0x00 key → what stood there when damage was found.
const QuarantineRows Bucket = "quarantine"

// Buckets lists every bucket.
func Buckets() []Bucket {
	return []Bucket{
		Meta, Journal, JournalHeads, Keys, Runs, RunsByStart, RunsOpen, RunsOver,
		Outbox, OutboxState, OutboxSent, Secrets, Sites, Identity,
		Evidence, EvidencePending, Fires, FiresSince, Settings, QuarantineRows,
	}
}

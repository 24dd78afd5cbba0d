package wire

import (
	"encoding/json"
	"time"
)

// Kinds of device records.
const (
	KindRun   = "run"
	KindAlert = "alert"
	KindAudit = "audit"
)

// RecordVersion is the layout version written into new device records.
const RecordVersion = 1

// Record is what a device reports to head office. (device, epoch, seq) is its
// key: one gapless sequence from 1 per epoch; the epoch is random and new
// whenever the device's database is new, restored or cloned.
type Record struct {
	V            int             `json:"v"`
	Device       string          `json:"device"`
	Epoch        string          `json:"epoch"`
	Seq          uint64          `json:"seq"`
	Kind         string          `json:"kind"`
	Subject      string          `json:"subject"` // run id, or the alert's code
	Created      time.Time       `json:"created"`
	BusinessDate string          `json:"business_date"`
	By           By              `json:"by"`
	Body         json.RawMessage `json:"body"` // a Run for KindRun
	// Former is where the record stood in epochs that were given up before head
	// office had acknowledged it: it may have it there.
	Former []Place `json:"former,omitempty"`
}

// Place names a record of a device.
type Place struct {
	Epoch string `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Subjects of alerts about the line itself.
const (
	// AlertRecordLost stands in the place of a record that the disk has spoiled.
	AlertRecordLost = "record_lost"
	// AlertEpochBegan is the first record of an epoch that follows another one and
	// names what may be lost (EpochBegan).
	AlertEpochBegan = "epoch_began"
)

// EpochBegan is the Body of AlertEpochBegan.
type EpochBegan struct {
	Former   string            `json:"former"`             // the epoch before
	FormerTo uint64            `json:"former_to"`          // its last seq that is still known on the device
	Reason   string            `json:"reason"`             // restored | ahead | differs | enrolled
	Lost     map[string]uint64 `json:"lost,omitempty"`     // rows that could not be saved, by what they were
	Snapshot *time.Time        `json:"snapshot,omitempty"` // what came after it may be lost
}

// IngestRequest is the body of POST /v1/ingest: a run of records, ascending seq.
// Records stay raw so that one that cannot be decoded never blocks the line.
type IngestRequest struct {
	Device string `json:"device"`
	Epoch  string `json:"epoch"`
	// FirstSeq is the seq of Records[0]: the place of a record that cannot be read.
	FirstSeq uint64 `json:"first_seq,omitempty"`
	// Oldest is the lowest seq of this epoch that is still on the device: what head
	// office lacks below it cannot be had any more and is a gap.
	Oldest  uint64            `json:"oldest,omitempty"`
	Records []json.RawMessage `json:"records"`
}

// IngestReply acknowledges everything below NextSeq of Epoch, durably.
// A NextSeq lower than before is honoured only with a new Incarnation: head
// office was restored from an older copy.
type IngestReply struct {
	Incarnation string `json:"incarnation"`
	Epoch       string `json:"epoch"`
	NextSeq     uint64 `json:"next_seq"`
	MaxBatch    int    `json:"max_batch"`
	RetryAfter  int    `json:"retry_after,omitempty"` // seconds
	// Last is the digest of the record before NextSeq, as it was sent. A device that
	// made another one has an older copy of its disk, or a twin.
	Last string `json:"last,omitempty"`
}

// KeysRequest is the body of POST /v1/keys: a device that was put together again
// asks for the submits that head office knows of it.
type KeysRequest struct {
	Device string    `json:"device"`
	Since  time.Time `json:"since"`           // received since, by head office's clock
	After  string    `json:"after,omitempty"` // the run that the page before ended with
}

// KeysReply is one page: the device's own run records, of which only what names
// and settles submits is sent back. More says that another page follows.
type KeysReply struct {
	Runs []Run `json:"runs"`
	More bool  `json:"more"`
}

// EnrolToken is what a one-time token carries: base64url of this JSON. It binds
// the device to one head office before the first byte is exchanged.
type EnrolToken struct {
	Token string `json:"token"`
	CA    string `json:"ca"` // PEM of head office's CA
	Roots string `json:"roots,omitempty"`
}

// EnrolRequest is the body of POST /v1/enrol, over TLS verified against the token's CA.
type EnrolRequest struct {
	Token    string `json:"token"`
	CSR      string `json:"csr"` // PEM, device-made key
	Hostname string `json:"hostname"`
	Version  string `json:"version"`
}

// EnrolReply gives the device its identity.
type EnrolReply struct {
	Device      string `json:"device"`
	Certificate string `json:"certificate"` // PEM, client certificate with chain
	// StateKey verifies desired state and commands: base64 of an Ed25519 public key.
	StateKey string `json:"state_key"`
}

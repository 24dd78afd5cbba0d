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
}

// IngestRequest is the body of POST /v1/ingest: a run of records, ascending seq.
// Records stay raw so that one that cannot be decoded never blocks the line.
type IngestRequest struct {
	Device string `json:"device"`
	Epoch  string `json:"epoch"`
	// FirstSeq is the seq of Records[0]: the place of a record that cannot be read.
	FirstSeq uint64            `json:"first_seq,omitempty"`
	Records  []json.RawMessage `json:"records"`
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

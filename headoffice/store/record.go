package store

import (
	"encoding/json"
	"time"

	"branchbot/internal/wire"
)

// Flags of a stored record. Content never blocks the line.
const (
	FlagUndecodable = "undecodable"   // not a record at all
	FlagBody        = "body"          // a record whose body does not fit its kind
	FlagForeign     = "foreign"       // it names another device or epoch
	FlagVersion     = "newer_version" // written by a newer branchbot
)

// Record is one device record, decoded as far as it could be.
type Record struct {
	Seq     uint64 // 0: could not be read
	Digest  string
	Raw     json.RawMessage
	Flag    string
	Kind    string
	Subject string
	Created time.Time
	Run     *wire.Run // for a run record that is whole
}

// Batch is one ingest request: a run of records of one device and epoch.
type Batch struct {
	Device      string
	Fingerprint string // of the certificate that sent it
	Epoch       string
	First       uint64 // seq of Records[0]; 0 when nothing in the batch tells
	Records     []Record
	Received    time.Time
}

// Result says what became of a batch.
type Result struct {
	NextSeq uint64
	Stored  int
	Err     error // device_halted, device_unknown, or a failure of this batch alone
}

// RunRow is a run as head office knows it. Record is the device's own record,
// which lists leave out.
type RunRow struct {
	Device    string
	Run       string
	Epoch     string
	Seq       uint64
	Received  time.Time
	Bot       string
	Version   string
	State     string
	Exception string // code
	Started   time.Time
	Finished  time.Time // zero while it is not over
	Record    json.RawMessage
}

// RunFilter narrows Runs; empty fields do not.
type RunFilter struct {
	Device, Bot, State string
	Since              time.Time // started at or after
	Limit              int       // 0: all
	Whole              bool      // with Record
}

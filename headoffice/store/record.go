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
	FlagRepeated    = "repeated"      // in its place in a former epoch it was taken already
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
	Run     *wire.Run    // for a run record that is whole
	Former  []wire.Place // where it stood before its epoch was given up
}

// IsLossNotice tells a device's alert in the place of a record that it has lost.
func (r Record) IsLossNotice() bool {
	return r.Kind == wire.KindAlert && r.Subject == wire.AlertRecordLost
}

// Batch is one ingest request: a run of records of one device and epoch.
type Batch struct {
	Device      string
	Fingerprint string // of the certificate that sent it
	Epoch       string
	First       uint64 // seq of Records[0]; 0 when nothing in the batch tells
	Oldest      uint64 // the lowest seq that is still on the device; 0 when it does not tell
	Records     []Record
	Received    time.Time
}

// Result says what became of a batch.
type Result struct {
	NextSeq uint64
	Last    string // digest of the record before NextSeq, "" when there is none
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

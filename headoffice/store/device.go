package store

import "time"

// States of a device.
const (
	DeviceWaiting  = "waiting"  // enrolled, an administrator has yet to approve
	DeviceApproved = "approved" // may send
	DeviceHalted   = "halted"   // two versions of its records were seen
)

// Token is a one-time enrolment token. Only its hash is kept.
type Token struct {
	Hash    string
	Created time.Time
	Expires time.Time
	ByHand  bool   // its device waits for an administrator
	Device  string // "" for a new device, else the one that is enrolled again
	By      Actor
}

// Certificate is what is remembered of a client certificate.
type Certificate struct {
	Fingerprint string // SHA-256 of the certificate
	Serial      string
	Expires     time.Time
}

// Device is an enrolled device.
type Device struct {
	ID          string
	State       string
	Key         string // fingerprint of its public key
	Certificate Certificate
	Hostname    string
	Version     string
	Enrolled    time.Time
	LastSeen    time.Time // zero before its first record
	HaltReason  string
	Epoch       string // the epoch that is growing
	NextSeq     uint64
}

// Taken is how many records of the present epoch head office has.
func (d Device) Taken() uint64 { return max(d.NextSeq, 1) - 1 }

package vault

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
)

// Identity is what enrolment gave this device.
type Identity struct {
	Device      string    `json:"device"`
	HeadOffice  string    `json:"head_office"` // URL
	CA          string    `json:"ca"`          // PEM, what head office's certificate is checked against
	Certificate string    `json:"certificate"` // PEM, the device's own, with chain
	PrivateKey  string    `json:"private_key"` // PEM
	StateKey    string    `json:"state_key"`   // base64, verifies desired state and commands
	Roots       string    `json:"roots,omitempty"`
	Incarnation string    `json:"incarnation,omitempty"` // of head office when it enrolled us
	Enrolled    time.Time `json:"enrolled"`
}

// LogValue keeps the private key out of every log.
func (i Identity) LogValue() slog.Value {
	return slog.GroupValue(slog.String("device", i.Device), slog.String("head_office", i.HeadOffice))
}

// String keeps the private key out of every message.
func (i Identity) String() string { return i.Device + " at " + i.HeadOffice }

// GoString keeps the private key out of %#v.
func (i Identity) GoString() string { return i.String() }

// PutIdentity keeps the device's identity in place of the one before.
func PutIdentity(tx *store.Tx, identity Identity) error {
	if identity.Enrolled.IsZero() {
		identity.Enrolled = tx.Now()
	}
	return store.PutJSON(tx, store.Identity, []byte("identity"), identity)
}

// GetIdentity returns the device's identity. Code: not_enrolled.
func GetIdentity(tx *store.Tx) (Identity, error) {
	identity, err := store.GetJSON[Identity](tx, store.Identity, []byte("identity"))
	if errors.Is(err, store.ErrNotFound) {
		return identity, fault.New(fault.Usage, "not_enrolled", "this device is not enrolled").
			WithHint("enrol it with `branchbot enroll --head-office URL --token TOKEN`")
	}
	if err != nil {
		return identity, fmt.Errorf("read identity: %w", err)
	}
	return identity, nil
}

// DeleteIdentity forgets the identity: the device is no longer enrolled.
func DeleteIdentity(tx *store.Tx) error { return tx.Delete(store.Identity, []byte("identity")) }

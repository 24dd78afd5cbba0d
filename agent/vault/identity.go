package vault

import (
	"errors"
	"fmt"
	"io"
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
	PrivateKey  string    `json:"-"`           // PEM; only identityRow writes it
	StateKey    string    `json:"state_key"`   // base64, verifies desired state and commands
	Roots       string    `json:"roots,omitempty"`
	Incarnation string    `json:"incarnation,omitempty"` // of head office when it enrolled us
	Enrolled    time.Time `json:"enrolled"`
}

// identityRow is the identity in the database.
type identityRow struct {
	Identity
	Key string `json:"private_key"`
}

// LogValue keeps the private key out of every log.
func (i Identity) LogValue() slog.Value {
	return slog.GroupValue(slog.String("device", i.Device), slog.String("head_office", i.HeadOffice))
}

// Format keeps the private key out of every message.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, i.Device+" at "+i.HeadOffice) }

// PutIdentity keeps the device's identity in place of the one before.
func PutIdentity(tx *store.Tx, identity Identity) error {
	if identity.Enrolled.IsZero() {
		identity.Enrolled = tx.Now()
	}
	return store.PutJSON(tx, store.Identity, []byte("identity"), identityRow{Identity: identity, Key: identity.PrivateKey})
}

// GetIdentity returns the device's identity. Code: not_enrolled.
func GetIdentity(tx *store.Tx) (Identity, error) {
	row, err := store.GetJSON[identityRow](tx, store.Identity, []byte("identity"))
	identity := row.Identity
	identity.PrivateKey = row.Key
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

// Package vault keeps what the device must know and nobody else may read: the
// secrets that bots sign in with, the origins that site names stand for, and the
// device's own identity. All of it is sealed by the store; secret values are
// handed out for a page only and print as ***.
package vault

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// namePattern is what secrets and sites may be called.
const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

// Values are the parts of a secret. They never print.
type Values map[string]string

// Format hides the values whatever the verb.
func (Values) Format(f fmt.State, _ rune) { hide(f) }

// LogValue hides the values from every logger.
func (Values) LogValue() slog.Value { return slog.StringValue(hidden) }

const hidden = "***"

func hide(f fmt.State) { _, _ = io.WriteString(f, hidden) } // fmt keeps the error

// Secret is a stored secret.
type Secret struct {
	Name   string    `json:"name"`
	Site   string    `json:"site"`
	Origin string    `json:"origin"` // what may receive it; "" until the site is bound
	Values Values    `json:"-"`      // only secretRow writes them
	Set    time.Time `json:"set"`
	By     wire.By   `json:"by"`
}

// secretRow is a secret in the database.
type secretRow struct {
	Secret
	Parts map[string]string `json:"values"`
}

// SecretInfo is a secret without its values.
type SecretInfo struct {
	Name   string    `json:"name"`
	Site   string    `json:"site"`
	Origin string    `json:"origin"`
	Set    time.Time `json:"set"`
	By     wire.By   `json:"by"`
}

// PutSecret keeps a secret, new or not, and binds it to its origin: the given
// one, else that of its site. Codes: bad_name, bad_origin, secret_empty.
func PutSecret(tx *store.Tx, secret Secret) error {
	if err := checkName(secret.Name); err != nil {
		return err
	}
	if err := checkName(secret.Site); err != nil {
		return err
	}
	if len(secret.Values) == 0 {
		return fault.New(fault.Usage, "secret_empty", "the secret %s has no value", secret.Name).WithHint("give the value on standard input")
	}
	if secret.Origin == "" {
		site, err := GetSite(tx, secret.Site)
		if err != nil && !fault.HasCode(err, "site_unknown") {
			return err
		}
		secret.Origin = site.Origin
	}
	var err error
	if secret.Origin != "" {
		if secret.Origin, err = Origin(secret.Origin); err != nil {
			return err
		}
	}
	secret.Set = tx.Now()
	return store.PutJSON(tx, store.Secrets, []byte(secret.Name), secretRow{Secret: secret, Parts: secret.Values})
}

// GetSecret returns a secret with its values. Codes: secret_unknown, secret_damaged.
func GetSecret(tx *store.Tx, name string) (Secret, error) {
	row, err := store.GetJSON[secretRow](tx, store.Secrets, []byte(name))
	secret := row.Secret
	secret.Values = row.Parts
	switch {
	case errors.Is(err, store.ErrNotFound):
		return secret, fault.New(fault.Usage, "secret_unknown", "no secret %q on this device", name).
			WithHint("set it with `branchbot secret set %s --site SITE`", name)
	case errors.Is(err, store.ErrDamaged):
		return secret, fault.New(fault.Application, "secret_damaged", "the secret %q cannot be read: %w", name, err).
			WithHint("set it again with `branchbot secret set %s --site SITE`", name)
	case err != nil:
		return secret, fmt.Errorf("read secret: %w", err)
	}
	return secret, nil
}

// ListSecrets returns all secrets without values, by name.
func ListSecrets(tx *store.Tx) ([]SecretInfo, error) {
	return list(tx, store.Secrets, func(s Secret) SecretInfo {
		return SecretInfo{Name: s.Name, Site: s.Site, Origin: s.Origin, Set: s.Set, By: s.By}
	})
}

// DeleteSecret forgets a secret. Code: secret_unknown.
func DeleteSecret(tx *store.Tx, name string) error {
	if _, err := GetSecret(tx, name); fault.HasCode(err, "secret_unknown") {
		return err
	}
	return tx.Delete(store.Secrets, []byte(name))
}

func checkName(name string) error {
	if ok, err := regexp.MatchString(namePattern, name); err != nil || !ok {
		return fault.New(fault.Usage, "bad_name", "the name %q", name).
			WithHint("use up to 64 letters, digits, dots, dashes and underscores")
	}
	return nil
}

package vault

import (
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// pendingPrefix begins the rows of enrolments under way in store.Identity; the
// token's digest follows.
const pendingPrefix = "pending:"

// pendingRow is the key with which this device has asked under a token. Head
// office answers the same key again: after a lost reply, and once it is approved.
type pendingRow struct {
	Key string `json:"private_key"`
}

func pendingKey(token string) []byte { return []byte(pendingPrefix + wire.Digest([]byte(token))) }

// PendingKey returns the private key (PEM) with which this device asks under a
// token; make is called the first time.
func PendingKey(tx *store.Tx, token string, make func() (string, error)) (string, error) {
	row, err := store.GetJSON[pendingRow](tx, store.Identity, pendingKey(token))
	if err == nil {
		return row.Key, nil
	}
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged) {
		return "", fmt.Errorf("read enrolment key: %w", err)
	}
	if row.Key, err = make(); err != nil {
		return "", err
	}
	return row.Key, store.PutJSON(tx, store.Identity, pendingKey(token), row)
}

// DeletePending forgets the keys of all enrolments under way.
func DeletePending(tx *store.Tx) error {
	var keys [][]byte
	err := tx.Range(store.Identity, store.Scan{Prefix: []byte(pendingPrefix)}, func(key, _ []byte) error {
		keys = append(keys, key)
		return nil
	})
	var damage *store.DamagedError
	if errors.As(err, &damage) {
		keys, err = append(keys, damage.Keys...), nil
	}
	for _, key := range keys {
		err = errors.Join(err, tx.Delete(store.Identity, key))
	}
	return err
}

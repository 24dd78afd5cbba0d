package evidence

import (
	"encoding/json"
	"errors"
	"time"

	"branchbot/agent/store"
)

// wipeBatch bounds how much one Wipe removes.
const wipeBatch = 1_000

func uploadedBefore(tx *store.Tx, before time.Time) ([]Entry, error) {
	var old []Entry
	err := tx.Range(store.Evidence, store.Scan{}, func(_, value []byte) error {
		var entry Entry
		if json.Unmarshal(value, &entry) == nil && entry.Uploaded != nil && entry.Uploaded.Before(before) {
			old = append(old, entry)
		}
		if len(old) == wipeBatch {
			return store.ErrStop
		}
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil
	}
	return old, err
}

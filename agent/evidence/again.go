package evidence

import (
	"encoding/json"
	"errors"
	"fmt"

	"branchbot/agent/store"
)

// OfferAgain puts everything that was uploaded and is still here back in line:
// head office was restored from an older copy and may lack it.
func OfferAgain(tx *store.Tx) error {
	var again [][]byte
	err := tx.Range(store.Evidence, store.Scan{}, func(_, value []byte) error {
		var entry Entry
		if json.Unmarshal(value, &entry) == nil && entry.Uploaded != nil && entry.Lost == nil {
			again = append(again, pendingKey(entry))
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return fmt.Errorf("offer evidence again: %w", err)
	}
	for _, key := range again {
		if err := tx.Put(store.EvidencePending, key, nil); err != nil {
			return fmt.Errorf("offer evidence again: %w", err)
		}
	}
	return nil
}

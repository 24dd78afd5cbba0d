package outbox

import (
	"fmt"

	"branchbot/agent/store"
)

// KeepNewest bounds what a device keeps that was never enrolled: the oldest records
// above keep are deleted, some in each call; more says that there are others. A head
// office that the device is enrolled at later hears from which record on it has them.
func KeepNewest(tx *store.Tx, keep int) (more bool, err error) {
	s, err := load(tx)
	if err != nil || s.Incarnation != "" {
		return false, err
	}
	for n := 0; s.Next-s.First > uint64(keep); n++ {
		if n == maxForgotten {
			more = true
			break
		}
		if err := tx.Delete(store.Outbox, store.NumberKey(s.First)); err != nil {
			return false, fmt.Errorf("forget records: %w", err)
		}
		s.First++
	}
	return more, s.save(tx)
}

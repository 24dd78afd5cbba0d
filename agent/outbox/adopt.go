package outbox

import (
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Adopt writes the device's id into every record that waits. Records made before
// enrolment have none; call it in the transaction that keeps the identity, before
// anything was sent. A damaged record is left to Mend: it must not stop enrolment.
func Adopt(tx *store.Tx, device string) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	for seq := max(s.Acked, s.First); seq < s.Next; seq++ {
		key := store.NumberKey(seq)
		record, err := store.GetJSON[wire.Record](tx, store.Outbox, key)
		if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("adopt record %d: %w", seq, err)
		}
		record.Device = device
		if err := store.PutJSON(tx, store.Outbox, key, record); err != nil {
			return fmt.Errorf("adopt record %d: %w", seq, err)
		}
	}
	return nil
}

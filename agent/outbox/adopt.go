package outbox

import (
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Adopt prepares the outbox for a new identity; call it in the transaction that
// keeps it. Records made before the device was ever enrolled have no name: it is
// written into them. A device that head office knew before begins a new epoch
// (see Restore): what was sent under the old identity says nothing under this one.
// A damaged record is left to Mend: it must not stop enrolment.
func Adopt(tx *store.Tx, device string) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	if err := LetIn(tx); err != nil {
		return err
	}
	if s.Incarnation != "" {
		return Outdated(tx, ReasonEnrolled)
	}
	for _, p := range s.spans {
		for place := max(s.Acked, s.First, p.From); place < s.end(p); place++ {
			if err := name(tx, store.NumberKey(place), device); err != nil {
				return fmt.Errorf("adopt record %d: %w", p.seq(place), err)
			}
		}
	}
	return nil
}

func name(tx *store.Tx, key []byte, device string) error {
	record, err := store.GetJSON[wire.Record](tx, store.Outbox, key)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	record.Device = device
	return store.PutJSON(tx, store.Outbox, key, record)
}

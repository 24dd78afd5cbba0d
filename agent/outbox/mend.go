package outbox

import (
	"encoding/json"
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Mend puts an alert in the place of each record in line that cannot be read, so
// that the sequence keeps no gap and the loss is told by name.
func Mend(tx *store.Tx, device string, by wire.By) (mended int, err error) {
	s, err := load(tx)
	if err != nil {
		return 0, err
	}
	for seq := max(s.Acked, s.First); seq < s.Next; seq++ {
		_, err := tx.Get(store.Outbox, store.NumberKey(seq))
		if err == nil {
			continue
		}
		if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrNotFound) {
			return mended, fmt.Errorf("mend outbox: %w", err)
		}
		if err := replace(tx, seq, device, by); err != nil {
			return mended, err
		}
		mended++
	}
	return mended, nil
}

func replace(tx *store.Tx, seq uint64, device string, by wire.By) error {
	body, err := json.Marshal(map[string]any{"code": "record_lost", "seq": seq})
	if err != nil {
		return fmt.Errorf("mend outbox: %w", err)
	}
	now := tx.Now()
	return store.PutJSON(tx, store.Outbox, store.NumberKey(seq), wire.Record{
		V: RecordVersion, Device: device, Epoch: tx.Epoch(), Seq: seq, Kind: wire.KindAlert, Subject: "record_lost",
		Created: now, BusinessDate: now.Local().Format("2006-01-02"), By: by, Body: body,
	})
}

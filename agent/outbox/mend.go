package outbox

import (
	"encoding/json"
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Mend puts an alert in the place of each record in line that cannot be read, so
// that the sequence keeps no gap and the loss is told by name. Should head office
// have the record all the same, it keeps that one.
func Mend(tx *store.Tx, device string, by wire.By) (mended int, err error) {
	s, err := load(tx)
	if err != nil {
		return 0, err
	}
	return s.mend(tx, device, by)
}

func (s *state) mend(tx *store.Tx, device string, by wire.By) (mended int, err error) {
	for _, p := range s.spans {
		for place := max(s.Acked, s.First, p.From); place < s.end(p); place++ {
			_, err := tx.Get(store.Outbox, store.NumberKey(place))
			if err == nil {
				continue
			}
			if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrNotFound) {
				return mended, fmt.Errorf("mend outbox: %w", err)
			}
			if err := replace(tx, place, p, device, by); err != nil {
				return mended, err
			}
			mended++
		}
	}
	return mended, nil
}

func replace(tx *store.Tx, place uint64, p span, device string, by wire.By) error {
	r, err := alert(tx, wire.AlertRecordLost, device, map[string]any{"code": wire.AlertRecordLost, "seq": p.seq(place)})
	if err != nil {
		return fmt.Errorf("mend outbox: %w", err)
	}
	r.V, r.Epoch, r.Seq, r.By = RecordVersion, p.Epoch, p.seq(place), by
	return store.PutJSON(tx, store.Outbox, store.NumberKey(place), r)
}

// alert makes a record about the line itself.
func alert(tx *store.Tx, subject, device string, body any) (wire.Record, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return wire.Record{}, fmt.Errorf("encode alert: %w", err)
	}
	now := tx.Now()
	return wire.Record{
		Device: device, Kind: wire.KindAlert, Subject: subject, Created: now,
		BusinessDate: now.Local().Format("2006-01-02"), By: wire.By{Kind: wire.BySystem}, Body: raw,
	}, nil
}

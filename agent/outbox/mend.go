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

// rebuild finds the counters again when their row is damaged. The keys of the
// other rows tell where the sequence stands; what head office has is not known,
// so all that is here is sent again, which changes nothing there.
func rebuild(tx *store.Tx) (state, error) {
	first, err := edge(tx, store.Outbox, false)
	if err != nil {
		return state{}, err
	}
	last, err := edge(tx, store.Outbox, true)
	if err != nil {
		return state{}, err
	}
	sent, err := edge(tx, store.OutboxSent, true)
	if err != nil {
		return state{}, err
	}
	s := state{First: first, Next: max(last+1, sent)}
	if first == 0 {
		s.First = s.Next
	}
	s.Acked = s.First
	return s, nil
}

// edge returns the number in a bucket's first or last key, 0 for an empty bucket.
func edge(tx *store.Tx, bucket store.Bucket, last bool) (n uint64, err error) {
	err = tx.Range(bucket, store.Scan{Reverse: last}, func(key, _ []byte) error {
		n = store.ParseNumberKey(key)
		return store.ErrStop
	})
	if damage, isDamage := errors.AsType[*store.DamagedError](err); isDamage {
		n, err = store.ParseNumberKey(damage.Keys[0]), nil // passed over before the one that was found
	}
	if err != nil {
		return 0, fmt.Errorf("rebuild outbox: %w", err)
	}
	return n, nil
}

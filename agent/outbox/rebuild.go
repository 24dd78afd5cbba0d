package outbox

import (
	"encoding/json"
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

func isEmpty(tx *store.Tx) bool {
	place, err := edge(tx, store.Outbox, true)
	sent, sentErr := edge(tx, store.OutboxSent, true)
	return err == nil && sentErr == nil && place == 0 && sent == 0
}

// rebuild finds the counters again when their row is damaged or lost. The keys of
// the other rows tell where the sequence stands; what head office has is not
// known, so all that is here is sent again, which changes nothing there.
func rebuild(tx *store.Tx, known []span) (state, error) {
	s := state{spans: known, unsaved: true}
	if err := s.cover(tx); err != nil {
		return s, err
	}
	s.Acked = s.First
	if len(known) > 0 {
		return s, nil
	}
	var err error
	s.spans, err = rebuildSpans(tx)
	return s, err
}

// cover takes in every row that is here. Counters that came from a copy may be
// older than the rows: no number is given twice.
func (s *state) cover(tx *store.Tx) error {
	first, err := edge(tx, store.Outbox, false)
	if err != nil {
		return err
	}
	last, err := edge(tx, store.Outbox, true)
	if err != nil {
		return err
	}
	sent, err := edge(tx, store.OutboxSent, true)
	if err != nil {
		return err
	}
	s.Next = max(s.Next, last+1, sent)
	s.First = max(s.First, 1)
	if first != 0 {
		s.First = first
	} else {
		s.First = s.Next
	}
	return nil
}

// rebuildSpans finds the epochs again: each record names its own.
func rebuildSpans(tx *store.Tx) ([]span, error) {
	var spans []span
	behind := uint64(0) // the last record that was read
	err := tx.Range(store.Outbox, store.Scan{}, func(key, value []byte) error {
		var r wire.Record
		place := store.ParseNumberKey(key)
		if json.Unmarshal(value, &r) != nil || r.Epoch == "" || r.Seq == 0 || r.Seq > place {
			return nil //nolint:nilerr // Mend replaces it
		}
		last := len(spans) - 1
		if last < 0 || spans[last].Epoch != r.Epoch {
			if last >= 0 {
				spans[last].To = behind + 1
			}
			spans = append(spans, span{Epoch: r.Epoch, From: place - r.Seq + 1})
		}
		behind = place
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return nil, fmt.Errorf("rebuild outbox: %w", err)
	}
	return spans, nil
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

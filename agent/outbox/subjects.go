package outbox

import (
	"encoding/json"
	"errors"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Subjects names what the records that wait are about, of up to limit places from
// the given one. It returns the place to go on, 0 after the last.
func Subjects(tx *store.Tx, from uint64, limit int) (subjects []string, next uint64, err error) {
	s, err := load(tx)
	if err != nil {
		return nil, 0, err
	}
	place := max(from, s.Acked, s.First)
	for end := min(place+uint64(limit), s.Next); place < end; place++ {
		line, err := tx.Get(store.Outbox, store.NumberKey(place))
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) {
			continue // Mend tells of it
		}
		if err != nil {
			return nil, 0, err
		}
		var r wire.Record
		if json.Unmarshal(line, &r) == nil {
			subjects = append(subjects, r.Subject)
		}
	}
	if place >= s.Next {
		return subjects, 0, nil
	}
	return subjects, place, nil
}

package journal

import (
	"encoding/json"
	"errors"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Read returns the whole journal of a run after checking every number, link and
// hash of it; nothing for a run that has not started. Codes: journal_damaged,
// journal_newer (written by a later branchbot).
func Read(tx *store.Tx, run string) ([]wire.JournalRecord, error) {
	h, err := store.GetJSON[head](tx, store.JournalHeads, []byte(run))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, damaged(run, "its end cannot be read: %w", err)
	}
	var records []wire.JournalRecord
	last := wire.JournalRecord{Run: run}
	err = tx.Range(store.Journal, store.Scan{Prefix: recordPrefix(run)}, func(_, line []byte) error {
		last, err = decode(line, last)
		records = append(records, last)
		return err
	})
	if errors.Is(err, store.ErrDamaged) {
		return nil, damaged(run, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	if last.N != h.N || last.Hash != h.Hash {
		return nil, damaged(run, "it ends at record %d, not at %d", last.N, h.N)
	}
	return records, nil
}

// decode reads one stored record and checks that it follows the one before.
func decode(line []byte, before wire.JournalRecord) (wire.JournalRecord, error) {
	var r wire.JournalRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return r, damaged(before.Run, "record %d: %w", before.N+1, err)
	}
	if r.V > wire.JournalVersion {
		return r, fault.New(fault.Application, "journal_newer", "the journal of %s has layout %d, this branchbot knows %d", r.Run, r.V, wire.JournalVersion).
			WithHint("install the branchbot that wrote it, or a later one")
	}
	_, hash, err := hashOf(line)
	switch {
	case err != nil:
		return r, damaged(before.Run, "record %d: %w", before.N+1, err)
	case r.Run != before.Run || r.N != before.N+1 || r.Prev != before.Hash:
		return r, damaged(before.Run, "record %d does not follow record %d", r.N, before.N)
	case r.Hash != hash:
		return r, damaged(before.Run, "record %d was changed", r.N)
	}
	return r, nil
}

// Verify checks a journal that comes from outside the store (a bundle, an audit).
func Verify(run string, lines [][]byte) ([]wire.JournalRecord, error) {
	last := wire.JournalRecord{Run: run}
	records := make([]wire.JournalRecord, 0, len(lines))
	for _, line := range lines {
		r, err := decode(line, last)
		if err != nil {
			return nil, err
		}
		records, last = append(records, r), r
	}
	return records, nil
}

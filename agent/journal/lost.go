package journal

import (
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// EndLost ends a run whose journal has lost something, so that it can never go
// on by itself: a person has said what became of its submit. What is left of the
// journal gets RECONCILED, if a submit of it is open, and END; the business key
// becomes what the person said. Nothing is written for a run without any record.
func EndLost(tx *store.Tx, run string, by wire.By, told wire.ReconciledData, end wire.EndData) error {
	left, h, err := rebuild(tx, run)
	if err != nil {
		return err
	}
	if err := saveHead(tx, run, h); err != nil || h.N == 0 || h.Ended {
		return err
	}
	if h.Open == sent {
		key := left.last().Key
		if err := appendData(tx, wire.JournalRecord{Run: run, Kind: wire.RecordReconciled, Key: key, By: by}, told); err != nil {
			return err
		}
	}
	return appendData(tx, wire.JournalRecord{Run: run, Kind: wire.RecordEnd, By: by}, end)
}

package run

import (
	"context"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// Points lists the places of the journal at which a crash is interesting, for
// store.Options.Point: before the transaction that writes a record of a kind
// (journal.KIND.writing), and when it is on disk and nobody was told
// (journal.KIND.written).
func Points() []string {
	var names []string
	for _, kind := range []wire.RecordKind{
		wire.RecordStart, wire.RecordResult, wire.RecordIntent, wire.RecordPrepared, wire.RecordOutcome,
		wire.RecordUnknown, wire.RecordReconciled, wire.RecordTimer, wire.RecordSignal, wire.RecordEnd,
	} {
		names = append(names, writing(kind), written(kind))
	}
	return names
}

func writing(kind wire.RecordKind) string { return "journal." + string(kind) + ".writing" }
func written(kind wire.RecordKind) string { return "journal." + string(kind) + ".written" }

// journaled runs fn, which is about to write a record of this kind, in one transaction.
func (m *Manager) journaled(ctx context.Context, kind wire.RecordKind, fn func(tx *store.Tx) error) error {
	m.o.Store.Point(writing(kind))
	if err := m.o.Store.Update(ctx, fn); err != nil {
		return err
	}
	m.o.Store.Point(written(kind))
	return nil
}

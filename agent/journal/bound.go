package journal

import (
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Bounds of one run's journal: a runner is handed all of it when it takes a run up.
const (
	MaxRecords = 10_000
	MaxBytes   = 32 << 20
	// spare is kept for what a submit that has begun still has to say.
	spareRecords = 100
	spareBytes   = 1 << 20
)

// bound refuses what makes a journal longer than it may be; code journal_full. A
// new submit is refused first, so that the record of one that has begun always
// has room. What settles or ends a run is never refused.
func (h *head) bound(kind wire.RecordKind, size int64) error {
	records, bytes := uint64(MaxRecords), int64(MaxBytes)
	switch kind {
	case wire.RecordIntent, wire.RecordTimer:
		records, bytes = records-spareRecords, bytes-spareBytes
	case wire.RecordResult, wire.RecordPrepared:
	default:
		return nil
	}
	if h.N < records && h.Bytes+size <= bytes {
		return nil
	}
	return fault.New(fault.Application, "journal_full", "the run has journaled %d values of %d bytes, it may have %d of %d", h.N, h.Bytes, MaxRecords, MaxBytes).
		WithHint("a script that asks for so many values outside is probably in a loop; read less, or do it in several runs")
}

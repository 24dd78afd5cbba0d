package sqlite

import (
	"fmt"

	"branchbot/headoffice/store"
)

// closeGap writes down records that the device does not have any more and that
// we never had, or lost with an older copy. The sequence goes on behind them.
func (t *taking) closeGap() error {
	if t.batch.Oldest <= t.next || t.former() {
		return nil
	}
	if err := t.addEpoch(); err != nil {
		return err
	}
	gap := store.Missing{First: t.next, Last: t.batch.Oldest - 1}
	if err := t.addGap(gap); err != nil {
		return err
	}
	t.next, t.closed = t.batch.Oldest, true
	detail := fmt.Sprintf("records %d to %d of epoch %s are on no device any more", gap.First, gap.Last, t.batch.Epoch)
	return audit(t.ctx, t.tx, store.Actor{Person: "headoffice", Kind: "system"}, "device.gap", t.batch.Device, detail)
}

func (t *taking) addGap(gap store.Missing) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO gaps (epoch, first, last, found) VALUES (?, ?, ?, ?)`,
		t.epoch, gap.First, gap.Last, millis(t.batch.Received))
	if err != nil {
		return fmt.Errorf("write gap: %w", err)
	}
	return nil
}

// fillGap takes a record that was believed to be gone.
func (t *taking) fillGap(seq uint64, record store.Record) error {
	var gap store.Missing
	err := t.tx.QueryRowContext(t.ctx, `DELETE FROM gaps WHERE epoch = ? AND first <= ? AND last >= ? RETURNING first, last`, t.epoch, seq, seq).
		Scan(&gap.First, &gap.Last)
	if err != nil {
		return fmt.Errorf("read gap of record %d: %w", seq, err)
	}
	if gap.First < seq {
		if err := t.addGap(store.Missing{First: gap.First, Last: seq - 1}); err != nil {
			return err
		}
	}
	if seq < gap.Last {
		if err := t.addGap(store.Missing{First: seq + 1, Last: gap.Last}); err != nil {
			return err
		}
	}
	t.stored++
	return t.keep(seq, record)
}

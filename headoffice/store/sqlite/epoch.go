package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"branchbot/headoffice/store"
)

// Epochs implements store.Store.
func (db *DB) Epochs(ctx context.Context, device string) ([]store.Epoch, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT e.id, e.epoch, e.next_seq, e.begun, (SELECT count(*) FROM conflicts c WHERE c.epoch = e.id)
		FROM epochs e WHERE e.device = ? ORDER BY e.id DESC`, device)
	if err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	defer rows.Close()
	var epochs []store.Epoch
	var ids []int64
	for rows.Next() {
		var id, begun int64
		var e store.Epoch
		if err := rows.Scan(&id, &e.Epoch, &e.NextSeq, &begun, &e.Conflicts); err != nil {
			return nil, fmt.Errorf("read epoch: %w", err)
		}
		e.Begun, e.Present = moment(begun), len(epochs) == 0
		epochs, ids = append(epochs, e), append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	for i, id := range ids {
		if epochs[i].Gaps, err = db.gaps(ctx, id); err != nil {
			return nil, err
		}
	}
	return epochs, nil
}

func (db *DB) gaps(ctx context.Context, epoch int64) ([]store.Missing, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT first, last, found FROM gaps WHERE epoch = ? ORDER BY first`, epoch)
	if err != nil {
		return nil, fmt.Errorf("list gaps: %w", err)
	}
	defer rows.Close()
	var gaps []store.Missing
	for rows.Next() {
		var gap store.Missing
		var found int64
		if err := rows.Scan(&gap.First, &gap.Last, &found); err != nil {
			return nil, fmt.Errorf("read gap: %w", err)
		}
		gap.Found = moment(found)
		gaps = append(gaps, gap)
	}
	return gaps, rows.Err()
}

// Incarnations implements store.Store.
func (db *DB) Incarnations(ctx context.Context) ([]store.Incarnation, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT incarnation, begun, copied FROM incarnations ORDER BY begun DESC, incarnation`)
	if err != nil {
		return nil, fmt.Errorf("list incarnations: %w", err)
	}
	defer rows.Close()
	var lives []store.Incarnation
	for rows.Next() {
		var life store.Incarnation
		var begun, copied int64
		if err := rows.Scan(&life.Incarnation, &begun, &copied); err != nil {
			return nil, fmt.Errorf("read incarnation: %w", err)
		}
		life.Begun, life.Copied = moment(begun), moment(copied)
		lives = append(lives, life)
	}
	return lives, rows.Err()
}

// newIncarnation makes this database another head office than its copy was.
func newIncarnation(ctx context.Context, tx *sql.Tx, incarnation string, begun, copied int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('incarnation', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, incarnation)
	if err != nil {
		return fmt.Errorf("write incarnation: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO incarnations (incarnation, begun, copied) VALUES (?, ?, ?)`, incarnation, begun, copied)
	if err != nil {
		return fmt.Errorf("write incarnation: %w", err)
	}
	return nil
}

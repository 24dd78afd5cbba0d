package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"branchbot/headoffice/store"
)

// statements are prepared once; every ingest uses them.
type statements struct {
	device, epoch, addEpoch, known, resent, addInbox, addRun, advance, seen *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, each := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&s.device, `SELECT state, fingerprint, halt_reason, coalesce(epoch, 0) FROM devices WHERE id = ?`},
		{&s.epoch, `SELECT id, next_seq FROM epochs WHERE device = ? AND epoch = ?`},
		{&s.addEpoch, `INSERT INTO epochs (device, epoch) VALUES (?, ?)`},
		{&s.known, `SELECT digest FROM inbox WHERE epoch = ? AND seq = ?`},
		{&s.resent, `SELECT seq FROM inbox WHERE epoch = ? AND seq >= ? AND digest = ? ORDER BY seq DESC LIMIT 1`},
		{&s.addInbox, `INSERT INTO inbox (epoch, seq, digest, flag, kind, subject, received, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.addRun, `INSERT INTO runs (device, run, epoch, seq, received, bot, version, state, exception, started, finished)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (device, run) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, received = excluded.received,
			bot = excluded.bot, version = excluded.version, state = excluded.state, exception = excluded.exception,
			started = excluded.started, finished = excluded.finished
			WHERE (excluded.epoch, excluded.seq) > (runs.epoch, runs.seq)`},
		{&s.advance, `UPDATE epochs SET next_seq = ?, begun = iif(begun = 0, ?, begun) WHERE id = ?`},
		{&s.seen, `UPDATE devices SET last_seen = ?, epoch = ? WHERE id = ? AND (last_seen <= ? OR epoch IS NOT ?)`},
	} {
		statement, err := db.PrepareContext(ctx, each.query) //nolint:sqlclosecheck // close closes all of them
		if err != nil {
			return fmt.Errorf("prepare %q: %w", each.query, err)
		}
		*each.to = statement
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, statement := range []*sql.Stmt{s.device, s.epoch, s.addEpoch, s.known, s.resent, s.addInbox, s.addRun, s.advance, s.seen} {
		if statement != nil {
			errs = append(errs, statement.Close())
		}
	}
	return errors.Join(errs...)
}

// Ingest implements store.Store. Each batch has a savepoint: one that fails is
// taken back alone.
func (db *DB) Ingest(ctx context.Context, batches []store.Batch) ([]store.Result, error) {
	results := make([]store.Result, len(batches))
	err := db.change(ctx, func(tx *sql.Tx) error {
		for i, batch := range batches {
			result, err := db.ingestApart(ctx, tx, batch)
			if err != nil {
				return err
			}
			results[i] = result
		}
		db.point("ingest.before_commit")
		return nil
	})
	if err != nil {
		return nil, err
	}
	db.point("ingest.committed")
	return results, nil
}

func (db *DB) ingestApart(ctx context.Context, tx *sql.Tx, batch store.Batch) (store.Result, error) {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT batch`); err != nil {
		return store.Result{}, fmt.Errorf("begin batch: %w", err)
	}
	result, err := (&taking{ctx: ctx, tx: tx, db: db, batch: batch}).run()
	end := `RELEASE batch`
	if err != nil {
		result, end = store.Result{Err: named(err)}, `ROLLBACK TO batch; RELEASE batch`
	}
	if _, err := tx.ExecContext(ctx, end); err != nil {
		return store.Result{}, errors.Join(result.Err, fmt.Errorf("end batch: %w", err))
	}
	return result, nil
}

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/wire"
)

const selectRuns = `
SELECT r.device, r.run, e.epoch, r.seq, r.received, r.bot, r.version, r.state, r.exception, r.started, r.finished, %s
FROM runs r JOIN epochs e ON e.id = r.epoch %s `

func runQuery(whole bool) string {
	if whole {
		return fmt.Sprintf(selectRuns, "i.raw, i.digest", "JOIN inbox i ON i.epoch = r.epoch AND i.seq = r.seq")
	}
	return fmt.Sprintf(selectRuns, "NULL, ''", "")
}

// Runs implements store.Store.
func (db *DB) Runs(ctx context.Context, filter store.RunFilter) iter.Seq2[store.RunRow, error] {
	query, args := filtered(filter)
	return db.runs(ctx, query, args...)
}

func (db *DB) runs(ctx context.Context, query string, args ...any) iter.Seq2[store.RunRow, error] {
	return func(yield func(store.RunRow, error) bool) {
		rows, err := db.read.QueryContext(ctx, query, args...)
		if err != nil {
			yield(store.RunRow{}, fmt.Errorf("list runs: %w", named(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			row, err := scanRun(rows)
			if !yield(row, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(store.RunRow{}, fmt.Errorf("list runs: %w", named(err)))
		}
	}
}

// Submitted implements store.Store.
func (db *DB) Submitted(ctx context.Context, device string, since time.Time, after string) iter.Seq2[store.RunRow, error] {
	return db.runs(ctx, runQuery(true)+`WHERE r.device = ? AND r.received >= ? AND r.run > ? ORDER BY r.run`, device, millis(since), after)
}

func filtered(f store.RunFilter) (string, []any) {
	var where []string
	var args []any
	for _, each := range []struct{ column, value string }{{"device", f.Device}, {"bot", f.Bot}, {"state", f.State}} {
		if each.value != "" {
			where, args = append(where, "r."+each.column+" = ?"), append(args, each.value)
		}
	}
	if !f.Since.IsZero() {
		where, args = append(where, "r.started >= ?"), append(args, millis(f.Since))
	}
	query := runQuery(f.Whole)
	if len(where) > 0 {
		query += "WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY r.started DESC, r.run"
	if f.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, f.Limit)
	}
	return query, args
}

// Run implements store.Store.
func (db *DB) Run(ctx context.Context, device, run string) (store.RunRow, error) {
	row, err := scanRun(db.read.QueryRowContext(ctx, runQuery(true)+`WHERE r.device = ? AND r.run = ?`, device, run))
	if errors.Is(err, sql.ErrNoRows) {
		return store.RunRow{}, store.RunUnknown(run)
	}
	return row, err
}

func scanRun(row scanner) (store.RunRow, error) {
	var r store.RunRow
	var received, started, finished int64
	var raw []byte
	var digest string
	err := row.Scan(&r.Device, &r.Run, &r.Epoch, &r.Seq, &received, &r.Bot, &r.Version, &r.State, &r.Exception, &started, &finished, &raw, &digest)
	if err != nil {
		return store.RunRow{}, fmt.Errorf("read run: %w", named(err))
	}
	r.Received, r.Started, r.Finished = moment(received), moment(started), moment(finished)
	if raw == nil {
		return r, nil
	}
	if err := whole(r, raw, digest); err != nil {
		return store.RunRow{}, err
	}
	var record wire.Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return store.RunRow{}, fmt.Errorf("read run %s: %w", r.Run, err)
	}
	r.Record = record.Body
	return r, nil
}

// Counts implements store.Store.
func (db *DB) Counts(ctx context.Context) (store.Counts, error) {
	counts := store.Counts{States: map[string]int{}}
	err := db.read.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'halted'),
		(SELECT count(*) FROM inbox WHERE flag <> '' AND flag <> 'repeated'), (SELECT coalesce(sum(last - first + 1), 0) FROM gaps) FROM devices`).
		Scan(&counts.Devices, &counts.Waiting, &counts.Halted, &counts.Flagged, &counts.Missing)
	if err != nil {
		return store.Counts{}, fmt.Errorf("count devices: %w", err)
	}
	rows, err := db.read.QueryContext(ctx, `SELECT state, count(*) FROM runs GROUP BY state`)
	if err != nil {
		return store.Counts{}, fmt.Errorf("count runs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return store.Counts{}, fmt.Errorf("count runs: %w", err)
		}
		counts.States[state] = n
		counts.Runs += n
	}
	return counts, rows.Err()
}

// Stamp implements store.Store. Everything that a page shows is written beside
// an audit row or an inbox row.
func (db *DB) Stamp(ctx context.Context) (string, error) {
	var stamp string
	err := db.read.QueryRowContext(ctx, `SELECT coalesce((SELECT max(rowid) FROM inbox), 0) || '.' || coalesce((SELECT max(id) FROM audit), 0)`).Scan(&stamp)
	if err != nil {
		return "", fmt.Errorf("read stamp: %w", err)
	}
	return stamp, nil
}

package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
)

// Copy implements store.Store. It only reads, over a connection of its own (the
// readers' may not even write elsewhere): who writes is not held up.
func (db *DB) Copy(ctx context.Context, path string, by store.Actor) error {
	own, err := sql.Open("sqlite", db.dsn)
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	_, err = own.ExecContext(ctx, `VACUUM INTO ?`, path)
	if err := errors.Join(err, own.Close()); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return db.change(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, by, "headoffice.backup", path, "") })
}

// BringBack makes the copied database at path ready to serve: it is checked
// through and becomes another incarnation, so that devices send again what the
// copy lacks. Code: database_damaged, besides those of Open.
func BringBack(ctx context.Context, path string, copied time.Time, by store.Actor) (err error) {
	db, err := Create(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.verify(ctx); err != nil {
		return err
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := newIncarnation(ctx, tx, rand.Text(), millis(time.Now()), millis(copied)); err != nil {
			return err
		}
		return audit(ctx, tx, by, "headoffice.restore", db.incarnation, "copy of "+copied.UTC().Format(time.RFC3339))
	})
}

// Size is how much of devices' records a database holds.
type Size struct {
	Records int
	Last    time.Time // received
}

// Measure looks into a database of any layout without changing it.
func Measure(ctx context.Context, path string) (size Size, err error) {
	db, err := connect(path)
	if err != nil {
		return size, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var last int64
	err = db.read.QueryRowContext(ctx, `SELECT count(*), coalesce(max(received), 0) FROM inbox`).Scan(&size.Records, &last)
	if err != nil {
		return size, damaged(err.Error())
	}
	size.Last = moment(last)
	return size, nil
}

func (db *DB) verify(ctx context.Context) error {
	for _, check := range []string{`PRAGMA integrity_check`, `SELECT coalesce((SELECT 'a row points nowhere' FROM pragma_foreign_key_check LIMIT 1), 'ok')`} {
		var said string
		if err := db.read.QueryRowContext(ctx, check).Scan(&said); err != nil {
			return damaged(err.Error())
		}
		if said != "ok" {
			return damaged(said)
		}
	}
	return nil
}

func damaged(what string) error {
	return fault.New(fault.Application, "database_damaged", "the database is damaged: %s", what).
		WithHint("Use another copy.")
}

package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"branchbot/internal/fault"
)

// The layout's history. A file once shipped never changes; PRAGMA user_version
// counts those applied.
//
//go:embed migrations/*.sql
var migrations embed.FS

func (db *DB) migrate(ctx context.Context) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		have, files, err := layout(ctx, tx)
		if err != nil {
			return err
		}
		if have > len(files) {
			return newer(have, len(files))
		}
		for i := have; i < len(files); i++ {
			if err := apply(ctx, tx, files[i], i+1); err != nil {
				return err
			}
		}
		var known bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'incarnation')`).Scan(&known); err != nil {
			return fmt.Errorf("read incarnation: %w", err)
		}
		if known {
			return nil
		}
		return newIncarnation(ctx, tx, rand.Text(), millis(time.Now()), 0)
	})
}

func (db *DB) checkVersion(ctx context.Context) error {
	have, files, err := layout(ctx, db.read)
	switch {
	case err != nil:
		return err
	case have > len(files):
		return newer(have, len(files))
	case have < len(files):
		return fault.New(fault.Usage, "database_older", "the database has layout %d, this program needs %d", have, len(files)).
			WithHint("Start head office of this version once; it brings the database up to date.")
	}
	return nil
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func layout(ctx context.Context, q rowQuerier) (have int, files []string, err error) {
	if files, err = fs.Glob(migrations, "migrations/*.sql"); err != nil {
		return 0, nil, fmt.Errorf("list migrations: %w", err)
	}
	if err := q.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&have); err != nil {
		return 0, nil, fmt.Errorf("read layout version: %w", err)
	}
	return have, files, nil
}

func apply(ctx context.Context, tx *sql.Tx, file string, version int) error {
	script, err := migrations.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read migration: %w", err)
	}
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	return nil
}

func newer(have, want int) error {
	return fault.New(fault.Usage, "database_newer", "the database has layout %d, this program knows up to %d", have, want).
		WithHint("Use the newer headoffice program.")
}

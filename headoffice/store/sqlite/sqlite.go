// Package sqlite keeps head office's data in one SQLite file: write-ahead log,
// synchronous=FULL, one writing connection. Several processes of this machine
// may have it open, so commands work beside a running server.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
)

// DB is the store in an SQLite file.
type DB struct {
	write       *sql.DB // one connection; transactions begin immediate
	read        *sql.DB
	dsn         string
	incarnation string
	ingest      statements
	// Point is called where a crash is interesting; nil in production.
	Point func(name string)
}

var _ store.Store = (*DB)(nil)

// Create opens the file at path, making and migrating it as needed.
// Codes: database_newer, database_damaged.
func Create(ctx context.Context, path string) (*DB, error) {
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	err = db.migrate(ctx)
	if err == nil {
		err = db.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(named(err), db.Close())
	}
	return db, nil
}

// Open opens a file that exists and has this program's layout.
// Codes: database_missing, database_newer, database_older, database_damaged.
func Open(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Usage, "database_missing", "there is no head office database at %s", path).
			WithHint("Name the data folder with --data, or start head office once: headoffice serve")
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	err = db.checkVersion(ctx)
	if err == nil {
		err = db.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(named(err), db.Close())
	}
	return db, nil
}

func connect(path string) (*DB, error) {
	dsn := (&url.URL{Scheme: "file", Opaque: escape(path)}).String() + "?" + url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "wal_autocheckpoint(4000)"},
	}.Encode()
	write, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	read, err := sql.Open("sqlite", dsn+"&_pragma=query_only(ON)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), write.Close())
	}
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(4)
	return &DB{write: write, read: read, dsn: dsn}, nil
}

// escape keeps a "?" or "#" in a folder's name from ending the path of the URI.
func escape(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// prepare reads the incarnation and prepares the hot statements. It writes
// nothing: a command that reads must not wait for a server that writes.
func (db *DB) prepare(ctx context.Context) error {
	row := db.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'incarnation'`)
	if err := row.Scan(&db.incarnation); err != nil {
		return fmt.Errorf("read incarnation: %w", err)
	}
	return db.ingest.prepare(ctx, db.write)
}

func (db *DB) point(name string) {
	if db.Point != nil {
		db.Point(name)
	}
}

// Incarnation implements store.Store.
func (db *DB) Incarnation() string { return db.incarnation }

// Close ends all connections; the last one folds the log into the file.
func (db *DB) Close() error {
	return errors.Join(db.ingest.close(), db.read.Close(), db.write.Close())
}

// change runs fn in one durable transaction.
func (db *DB) change(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", named(err))
	}
	if err := fn(tx); err != nil {
		return errors.Join(named(err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", named(err))
	}
	return nil
}

func audit(ctx context.Context, tx *sql.Tx, by store.Actor, action, subject, detail string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, person, kind, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)`,
		millis(time.Now()), by.Person, by.Kind, action, subject, detail)
	if err != nil {
		return fmt.Errorf("write audit: %w", err)
	}
	return nil
}

// Times are stored as milliseconds; zero means none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

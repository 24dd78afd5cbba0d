package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"branchbot/headoffice/store"
)

// AddLink implements store.Store.
func (db *DB) AddLink(ctx context.Context, l store.Link) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := prune(ctx, tx, time.Now()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO links (hash, role, person, expires) VALUES (?, ?, ?, ?)`,
			l.Hash, l.Role, l.Person, millis(l.Expires))
		if err != nil {
			return fmt.Errorf("add console link: %w", err)
		}
		return nil
	})
}

// UseLink implements store.Store.
func (db *DB) UseLink(ctx context.Context, hash string, s store.Session) (store.Session, error) {
	err := db.change(ctx, func(tx *sql.Tx) error {
		var expires int64
		err := tx.QueryRowContext(ctx, `DELETE FROM links WHERE hash = ? RETURNING role, person, expires`, hash).
			Scan(&s.Role, &s.Person, &expires)
		if errors.Is(err, sql.ErrNoRows) || err == nil && time.Now().After(moment(expires)) {
			return store.LinkInvalid()
		}
		if err != nil {
			return fmt.Errorf("use console link: %w", err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO sessions (hash, role, person, csrf, expires) VALUES (?, ?, ?, ?, ?)`,
			s.Hash, s.Role, s.Person, s.CSRF, millis(s.Expires))
		if err != nil {
			return fmt.Errorf("add session: %w", err)
		}
		return audit(ctx, tx, store.Actor{Person: s.Person, Kind: "console"}, "console.enter", s.Role, "")
	})
	return s, err
}

// Session implements store.Store.
func (db *DB) Session(ctx context.Context, hash string, now time.Time) (store.Session, error) {
	s := store.Session{Hash: hash}
	var expires int64
	err := db.read.QueryRowContext(ctx, `SELECT role, person, csrf, expires FROM sessions WHERE hash = ?`, hash).
		Scan(&s.Role, &s.Person, &s.CSRF, &expires)
	if errors.Is(err, sql.ErrNoRows) || err == nil && now.After(moment(expires)) {
		return store.Session{}, store.SessionUnknown()
	}
	if err != nil {
		return store.Session{}, fmt.Errorf("read session: %w", err)
	}
	s.Expires = moment(expires)
	return s, nil
}

// EndSession implements store.Store.
func (db *DB) EndSession(ctx context.Context, hash string) error {
	if _, err := db.write.ExecContext(ctx, `DELETE FROM sessions WHERE hash = ?`, hash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// KeepKey implements store.Store.
func (db *DB) KeepKey(ctx context.Context, key store.Key) (store.Key, error) {
	_, err := db.write.ExecContext(ctx, `INSERT INTO keys (name, public, sealed) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		key.Name, key.Public, key.Sealed)
	if err != nil {
		return store.Key{}, fmt.Errorf("keep key: %w", err)
	}
	return db.Key(ctx, key.Name)
}

// Key implements store.Store.
func (db *DB) Key(ctx context.Context, name string) (store.Key, error) {
	key := store.Key{Name: name}
	err := db.read.QueryRowContext(ctx, `SELECT public, sealed FROM keys WHERE name = ?`, name).Scan(&key.Public, &key.Sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Key{}, store.KeyUnknown(name)
	}
	if err != nil {
		return store.Key{}, fmt.Errorf("read key: %w", err)
	}
	return key, nil
}

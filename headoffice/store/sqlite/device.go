package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"branchbot/headoffice/store"
)

// AddTokens implements store.Store.
func (db *DB) AddTokens(ctx context.Context, tokens []store.Token) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for _, t := range tokens {
			if err := knownDevice(ctx, tx, t.Device); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx,
				`INSERT INTO tokens (hash, created, expires, by_hand, by_person, by_kind, device) VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''))`,
				t.Hash, millis(t.Created), millis(t.Expires), t.ByHand, t.By.Person, t.By.Kind, t.Device)
			if err != nil {
				return fmt.Errorf("add token: %w", err)
			}
			if err := audit(ctx, tx, t.By, "device.token", t.Hash[:12], t.Device); err != nil {
				return err
			}
		}
		return nil
	})
}

// knownDevice refuses a token for a device that was never here.
func knownDevice(ctx context.Context, tx *sql.Tx, id string) error {
	if id == "" {
		return nil
	}
	var known bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM devices WHERE id = ?) OR EXISTS (SELECT 1 FROM epochs WHERE device = ?)`, id, id).Scan(&known)
	if err != nil {
		return fmt.Errorf("look for device: %w", err)
	}
	if !known {
		return store.DeviceUnknown(id)
	}
	return nil
}

// Claim implements store.Store.
func (db *DB) Claim(ctx context.Context, hash string, candidate store.Device) (store.Device, error) {
	claimed := candidate.ID
	err := db.change(ctx, func(tx *sql.Tx) error {
		var expires int64
		var byHand bool
		var key, device sql.NullString
		err := tx.QueryRowContext(ctx, `SELECT expires, by_hand, key, device FROM tokens WHERE hash = ?`, hash).
			Scan(&expires, &byHand, &key, &device)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.TokenUnknown()
		case err != nil:
			return fmt.Errorf("read token: %w", err)
		case key.Valid && key.String != candidate.Key:
			return store.TokenUsed()
		case key.Valid:
			claimed = device.String
			return nil
		case candidate.Enrolled.After(moment(expires)):
			return store.TokenExpired()
		}
		if byHand {
			candidate.State = store.DeviceWaiting
		}
		if device.Valid { // enrolled again
			candidate.ID = device.String
			claimed = candidate.ID
		}
		return claim(ctx, tx, hash, candidate)
	})
	if err != nil {
		return store.Device{}, err
	}
	device, err := db.Device(ctx, claimed)
	if err != nil && claimed != candidate.ID {
		return store.Device{}, store.TokenUsed() // its device was revoked since
	}
	return device, err
}

func claim(ctx context.Context, tx *sql.Tx, hash string, d store.Device) error {
	_, err := tx.ExecContext(ctx, `UPDATE tokens SET used = ?, key = ?, device = ? WHERE hash = ?`,
		millis(d.Enrolled), d.Key, d.ID, hash)
	if err != nil {
		return fmt.Errorf("use token: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO devices (id, state, key, hostname, version, enrolled, epoch)
		VALUES (?, ?, ?, ?, ?, ?, (SELECT max(id) FROM epochs WHERE device = ?1))
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, key = excluded.key, hostname = excluded.hostname, version = excluded.version,
		enrolled = excluded.enrolled, halt_reason = '', fingerprint = '', serial = '', expires = 0`,
		d.ID, d.State, d.Key, d.Hostname, d.Version, millis(d.Enrolled))
	if err != nil {
		return fmt.Errorf("add device: %w", err)
	}
	return audit(ctx, tx, store.Actor{Person: d.ID, Kind: "device"}, "device.enrol", d.ID, d.Hostname)
}

// Certify implements store.Store.
func (db *DB) Certify(ctx context.Context, device string, c store.Certificate) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE devices SET fingerprint = ?, serial = ?, expires = ? WHERE id = ?`,
			c.Fingerprint, c.Serial, millis(c.Expires), device)
		return oneRow(result, err, store.DeviceUnknown(device))
	})
}

// Approve implements store.Store.
func (db *DB) Approve(ctx context.Context, id string, by store.Actor) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		var state string
		err := tx.QueryRowContext(ctx, `SELECT state FROM devices WHERE id = ?`, id).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.DeviceUnknown(id)
		case err != nil:
			return fmt.Errorf("read device: %w", err)
		case state != store.DeviceWaiting:
			return store.NotWaiting(id, state)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE devices SET state = ? WHERE id = ?`, store.DeviceApproved, id); err != nil {
			return fmt.Errorf("approve device: %w", err)
		}
		return audit(ctx, tx, by, "device.approve", id, "")
	})
}

// Revoke implements store.Store.
func (db *DB) Revoke(ctx context.Context, id string, by store.Actor) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM devices WHERE id = ?`, id)
		if err := oneRow(result, err, store.DeviceUnknown(id)); err != nil {
			return err
		}
		return audit(ctx, tx, by, "device.revoke", id, "")
	})
}

// oneRow turns a change that met no row into missing.
func oneRow(result sql.Result, err, missing error) error {
	if err != nil {
		return fmt.Errorf("change row: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("change row: %w", err)
	}
	if n == 0 {
		return missing
	}
	return nil
}

const selectDevices = `
SELECT d.id, d.state, d.key, d.fingerprint, d.serial, d.expires, d.hostname, d.version, d.enrolled, d.last_seen,
  d.halt_reason, coalesce(e.epoch, ''), coalesce(e.next_seq, 1)
FROM devices d LEFT JOIN epochs e ON e.id = d.epoch `

// Device implements store.Store.
func (db *DB) Device(ctx context.Context, id string) (store.Device, error) {
	device, err := scanDevice(db.read.QueryRowContext(ctx, selectDevices+`WHERE d.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Device{}, store.DeviceUnknown(id)
	}
	return device, err
}

// Devices implements store.Store.
func (db *DB) Devices(ctx context.Context) ([]store.Device, error) {
	rows, err := db.read.QueryContext(ctx, selectDevices+`ORDER BY d.enrolled DESC, d.id`)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	defer rows.Close()
	var devices []store.Device
	for rows.Next() {
		device, err := scanDevice(rows)
		if err != nil {
			return nil, err
		}
		devices = append(devices, device)
	}
	return devices, rows.Err()
}

type scanner interface{ Scan(dest ...any) error }

func scanDevice(row scanner) (store.Device, error) {
	var d store.Device
	var expires, enrolled, seen int64
	err := row.Scan(&d.ID, &d.State, &d.Key, &d.Certificate.Fingerprint, &d.Certificate.Serial, &expires,
		&d.Hostname, &d.Version, &enrolled, &seen, &d.HaltReason, &d.Epoch, &d.NextSeq)
	if err != nil {
		return store.Device{}, fmt.Errorf("read device: %w", err)
	}
	d.Certificate.Expires, d.Enrolled, d.LastSeen = moment(expires), moment(enrolled), moment(seen)
	return d, nil
}

// prune forgets what has expired.
func prune(ctx context.Context, tx *sql.Tx, now time.Time) error {
	for _, table := range []string{"links", "sessions"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE expires < ?`, millis(now)); err != nil {
			return fmt.Errorf("prune %s: %w", table, err)
		}
	}
	return nil
}

package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// named gives its code to what SQLite says about a file that is no sound database.
func named(err error) error {
	problem, ok := errors.AsType[*sqlite.Error](err)
	if !ok || fault.HasCode(err, "database_damaged") {
		return err
	}
	switch problem.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damagedHere("%w", err)
	}
	return err
}

// whole compares a run's stored record with the digest it came with: SQLite has
// no checksums, so a flipped bit in a value is nothing to it.
func whole(r store.RunRow, raw []byte, digest string) error {
	if wire.Digest(raw) == digest {
		return nil
	}
	return damagedHere("the record of run %s is not what device %s sent", r.Run, r.Device)
}

func damagedHere(format string, args ...any) error {
	return fault.New(fault.Application, "database_damaged", "head office's database is damaged: "+format, args...).
		WithHint("Stop head office, keep the file for support and bring the last backup back: headoffice restore. Devices send again what it lacks.")
}

package sqlite

import (
	"database/sql"
	"testing"

	"branchbot/headoffice/store"
)

// BareInserts is the floor of a benchmark: the same bytes into one table, one
// transaction for each call, with the same settings.
func BareInserts(b *testing.B, path string) func(first uint64, records []store.Record) error {
	b.Helper()
	db, err := connect(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.write.Exec(`CREATE TABLE bare (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT`); err != nil {
		b.Fatal(err)
	}
	return func(first uint64, records []store.Record) error {
		return db.change(b.Context(), func(tx *sql.Tx) error {
			insert, err := tx.Prepare(`INSERT INTO bare (seq, raw) VALUES (?, ?)`)
			if err != nil {
				return err
			}
			defer insert.Close()
			for i, record := range records {
				if _, err := insert.Exec(int64(first)+int64(i), []byte(record.Raw)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

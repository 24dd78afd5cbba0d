package sqlite

import (
	"path/filepath"
	"testing"

	"branchbot/headoffice/store"
	"branchbot/headoffice/store/storetest"
	"branchbot/internal/fault"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "h?o #%20.db"))
	})
}

func TestDurableSettings(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "ho.db"))
	var mode string
	var synchronous int
	if err := db.write.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal_mode %q, %v; want wal", mode, err)
	}
	if err := db.write.QueryRow(`PRAGMA synchronous`).Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous %d, %v; want 2 (FULL)", synchronous, err)
	}
}

func TestIncarnationStays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ho.db")
	first := open(t, path)
	second, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.Incarnation() == "" || first.Incarnation() != second.Incarnation() {
		t.Errorf("incarnations %q and %q, want one", first.Incarnation(), second.Incarnation())
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, code string }{
		{"missing", "", "database_missing"},
		{"newer", "99", "database_newer"},
		{"older", "0", "database_older"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "ho.db")
			if c.version != "" {
				db := open(t, path)
				if _, err := db.write.Exec(`PRAGMA user_version = ` + c.version); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(t.Context(), path)
			if !fault.HasCode(err, c.code) {
				t.Fatalf("got %v, %v; want code %s", db, err, c.code)
			}
		})
	}
}

package sqlite

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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

// A full disk refuses cleanly, keeps what was acknowledged, and goes on when
// there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "ho.db"))
	storetest.Enrol(t, db, "dev_one", "print")
	limit := func(pages string) {
		if _, err := db.write.Exec(`PRAGMA max_page_count = ` + pages); err != nil {
			t.Fatal(err)
		}
	}
	send := func(seq uint64) (store.Result, error) {
		raw := []byte(`"` + strings.Repeat("x", 8000) + `"`)
		results, err := db.Ingest(t.Context(), []store.Batch{{
			Device: "dev_one", Fingerprint: "print", Epoch: "e", First: seq, Received: time.Now(),
			Records: []store.Record{{Seq: seq, Raw: raw, Digest: strconv.FormatUint(seq, 10)}},
		}})
		if err != nil {
			return store.Result{}, err
		}
		return results[0], results[0].Err
	}
	limit("80")
	acknowledged := uint64(1)
	for ; acknowledged < 100; acknowledged++ {
		if _, err := send(acknowledged); err != nil {
			break
		}
	}
	if acknowledged == 1 || acknowledged == 100 {
		t.Fatalf("the disk was full at record %d", acknowledged)
	}
	limit("100000")
	if result, err := send(acknowledged); err != nil || result.NextSeq != acknowledged+1 {
		t.Errorf("with room again: %+v, %v; want next %d", result, err, acknowledged+1)
	}
	if result, err := send(1); err != nil || result.Stored != 0 {
		t.Errorf("the first record: %+v, %v; want it known", result, err)
	}
}

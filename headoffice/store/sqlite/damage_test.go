//go:build linux

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"branchbot/headoffice/store"
	"branchbot/headoffice/store/storetest"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/soak"
)

// healthy makes a database with records of one device and returns its bytes.
func healthy(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ho.db")
	db, err := Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Enrol(t, db, "dev_one", "print")
	s := &sender{id: "dev_one"}
	b := store.Batch{Device: s.id, Fingerprint: "print", Epoch: "e", First: 1, Received: time.Now()}
	for seq := uint64(1); seq <= 200; seq++ {
		b.Records = append(b.Records, s.record(seq))
	}
	if _, err := db.Ingest(t.Context(), []store.Batch{b}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// lay writes a file into a folder of its own.
func lay(t *testing.T, raw []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ho.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// use does what head office does with its database: open, list, store, check.
func use(ctx context.Context, path string) (err error) {
	db, err := Create(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, err := range db.Runs(ctx, store.RunFilter{Whole: true}) {
		if err != nil {
			return fmt.Errorf("runs: %w", err)
		}
	}
	if _, err := db.Devices(ctx); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	s := &sender{id: "dev_one"}
	results, err := db.Ingest(ctx, []store.Batch{{
		Device: s.id, Fingerprint: "print", Epoch: "e", First: 201, Records: []store.Record{s.record(201)}, Received: time.Now(),
	}})
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	return results[0].Err
}

// A damaged file is said to be damaged, with a code and what to do, wherever
// SQLite meets the damage; nothing crashes and nothing hangs.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	const page = 4096
	sound := healthy(t)
	for _, c := range []struct {
		name  string
		spoil func(file []byte) []byte
	}{
		{"no database at all", func([]byte) []byte {
			return []byte("this is a letter to the editor, and no database: " + string(make([]byte, 600)))
		}},
		{"header flipped", func(file []byte) []byte { file[3] ^= 1; return file }},
		{"first page zeroed", func(file []byte) []byte { clear(file[:page]); return file }},
		{"truncated within", func(file []byte) []byte { return file[:len(file)/2/page*page] }},
		{"truncated to one page", func(file []byte) []byte { return file[:page] }},
		{"all pages but the first zeroed", func(file []byte) []byte { clear(file[page:]); return file }},
		{"all pages but the first random", func(file []byte) []byte {
			r := rand.New(rand.NewPCG(1, 1))
			for i := page; i < len(file); i++ {
				file[i] = byte(r.Uint32())
			}
			return file
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := use(t.Context(), lay(t, c.spoil(bytes.Clone(sound))))
			if !fault.HasCode(err, "database_damaged") || fault.Of(err).Hint == "" {
				t.Errorf("got %v, want code database_damaged with a hint", err)
			}
		})
	}
}

// Random damage, anywhere: whatever SQLite notices has the same code. (What it
// does not notice, a check of the whole file before a restore does, or nobody:
// SQLite has no checksums of its own.)
func TestRandomDamageIsNamed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	sound, noticed, checked := healthy(t), 0, 0
	times := soak.Times(t, 25)
	for range times {
		file := bytes.Clone(sound)
		switch at := r.IntN(len(file)); r.IntN(3) {
		case 0:
			file[at] ^= 1 << r.IntN(8)
		case 1:
			clear(file[at/512*512 : at/512*512+512])
		default:
			file = file[:at]
		}
		path := lay(t, file)
		err := use(t.Context(), path)
		if err != nil && !fault.HasCode(err, "database_damaged") {
			t.Errorf("noticed, but not named: %v", err)
		}
		if err != nil {
			noticed++
		} else if _, err := Measure(t.Context(), path); err == nil {
			checked++
		}
	}
	soak.Report(t, map[string]any{"damaged": times, "noticed": noticed, "unnoticed_in_use": checked})
}

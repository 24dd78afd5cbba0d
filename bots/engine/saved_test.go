package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/wire"
)

// Use -update only for a new folder: what an old version wrote never changes.
var update = flag.Bool("update", false, "write journals that are missing under testdata/replay")

// Journals of every version must keep replaying, whole and from each record on.
func TestSavedJournals(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("testdata/replay/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no saved journals", err)
	}
	for _, folder := range folders {
		script, err := os.ReadFile(filepath.Join(folder, "main.star"))
		if err != nil {
			t.Fatal(err)
		}
		p := newPack(t, string(script))
		p.Manifest.Retry.Attempts = 3
		if *update {
			save(t, folder, string(script))
		}
		want, err := os.ReadFile(filepath.Join(folder, "output.json"))
		if err != nil {
			t.Fatal(err)
		}
		w, h := &world{}, (&hosttest.Host{}).WithJournal(saved(t, filepath.Join(folder, "journal.jsonl")))
		f := start(t.Context(), p, w, h)
		if f.State != wire.Succeeded || string(f.Output) != string(bytes.TrimSpace(want)) {
			t.Errorf("%s: %s %s %+v, want %s", folder, f.State, f.Output, f.Exception, want)
		}
		if len(w.did) > 0 || w.values > 0 {
			t.Errorf("%s: the replay did %v and asked for %d values", folder, w.did, w.values)
		}
		for cut := range h.Journal() {
			w := &world{settle: nobody}
			part := (&hosttest.Host{}).WithJournal(h.Journal()[:cut])
			if f := start(t.Context(), p, w, part); f.State != wire.Succeeded && f.State != wire.InDoubt {
				t.Errorf("%s, from record %d: %s %+v", folder, cut, f.State, f.Exception)
			}
		}
	}
}

func saved(t *testing.T, path string) []wire.JournalRecord {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var records []wire.JournalRecord
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var record wire.JournalRecord
		if err := d.Decode(&record); errors.Is(err, io.EOF) {
			return records
		} else if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
}

func save(t *testing.T, folder, script string) {
	t.Helper()
	path := filepath.Join(folder, "journal.jsonl")
	if _, err := os.Stat(path); err == nil {
		return
	}
	h := &hosttest.Host{Run: "run_saved"}
	f := start(t.Context(), newPack(t, script), &world{}, h)
	var lines bytes.Buffer
	for _, record := range h.Journal() {
		if err := json.NewEncoder(&lines).Encode(record); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{path: lines.Bytes(), filepath.Join(folder, "output.json"): append(f.Output, '\n')} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

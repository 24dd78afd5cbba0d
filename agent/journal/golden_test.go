package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

var save = flag.Bool("save", false, "save the journal of this layout version, if there is none yet")

// savedRun is one run that has every kind of record in it.
func savedRun() []wire.JournalRecord {
	const run = "run_savedsavedsaved0001"
	at := func(kind wire.RecordKind, step string, attempt int, call string, ms int64, data any) wire.JournalRecord {
		return wire.JournalRecord{
			Run: run, Kind: kind, Key: wire.JournalKey{Step: step, Attempt: attempt, Call: call, Ordinal: 1},
			Args: wire.Digest([]byte(call)), Data: encoded(data), MS: ms, By: wire.By{Person: "li.na", Kind: wire.ByUnverified},
		}
	}
	value := func(v any) wire.ResultData { return wire.ResultData{Value: encoded(v)} }
	const read, open = "read card", "open account"
	intent := wire.IntentData{
		Submit: "open", Key: `["11010519491231002X","savings"]`, Window: "8760h", Digest: wire.Digest(nil), Guard: "payload", Fields: 2,
		Values: map[string]string{"姓名": "李娜", "备注": `<"a" & 'b'> \ `},
	}
	return []wire.JournalRecord{
		at(wire.RecordStart, "", 0, "", 0, wire.StartData{
			Bot: "account-opening", Version: "1.0.0", Digest: wire.Digest([]byte("pack")), Trust: "embedded", Trigger: "manual",
			Inputs: encoded(map[string]any{"product": "savings", "amount": 12.50}), Origins: map[string]string{"core": "https://core.bank.example"},
		}),
		at(wire.RecordResult, "", 0, "now", 0, value("2026-11-23T09:00:00Z")),
		at(wire.RecordResult, read, 1, "ocr.read", 812, value(map[string]any{"name": "李娜", "confidence": 0.98})),
		at(wire.RecordResult, read, 1, "step", 820, value(map[string]any{"name": "李娜"})),
		at(wire.RecordTimer, "", 0, "", 0, map[string]string{"until": "2026-11-23T09:00:05Z"}),
		at(wire.RecordIntent, open, 1, "submit", 0, intent),
		at(wire.RecordSignal, "", 0, "", 0, map[string]string{"signal": "agent stopped"}),
		at(wire.RecordIntent, open, 2, "submit", 0, intent),
		at(wire.RecordPrepared, open, 2, "submit", 0, wire.PreparedData{Method: "POST", URL: "https://core.bank.example/api/accounts", Bytes: 311, Body: wire.Digest([]byte("body"))}),
		at(wire.RecordUnknown, open, 2, "submit", 0, wire.UnknownData{Reason: "cut"}),
		at(wire.RecordReconciled, open, 2, "submit", 0, wire.ReconciledData{State: wire.SubmitNotProcessed, By: "probe"}),
		at(wire.RecordIntent, open, 3, "submit", 0, intent),
		at(wire.RecordPrepared, open, 3, "submit", 0, wire.PreparedData{Method: "POST", URL: "https://core.bank.example/api/accounts", Bytes: 311}),
		at(wire.RecordOutcome, open, 3, "submit", 0, wire.OutcomeData{State: wire.SubmitAcknowledged, Receipt: map[string]string{"account_no": "6222020000000000017"}, Status: 200, GuardMS: 1.75}),
		at(wire.RecordResult, open, 3, "step", 2210, value(map[string]string{"account_no": "6222020000000000017"})),
		at(wire.RecordEnd, "", 0, "", 0, wire.EndData{State: wire.Succeeded, Output: encoded(map[string]string{"account": "6222020000000000017"})}),
	}
}

// survivedRun is one that was interrupted in every way: waits, signals, a doubt
// that a person settled. It was saved with the first version that survives them.
func survivedRun() []wire.JournalRecord {
	const run, open = "run_savedsavedsaved0002", "open account"
	at := func(kind wire.RecordKind, step string, attempt int, call string, data any) wire.JournalRecord {
		r := wire.JournalRecord{Run: run, Kind: kind, Data: encoded(data), By: wire.By{Kind: wire.BySystem}}
		if call != "" {
			r.Key = wire.JournalKey{Step: step, Attempt: attempt, Call: call, Ordinal: 1}
		}
		if call == "step" {
			r.Key.Ordinal = 0
		}
		return r
	}
	signal := func(what string) wire.JournalRecord {
		return at(wire.RecordSignal, "", 0, "", wire.SignalData{Signal: what})
	}
	failed := wire.ResultData{Error: &wire.Exception{Kind: "application", Class: "application", Code: "site_error", Message: "busy"}}
	intent := wire.IntentData{Submit: "open", Key: "k", Window: "8760h", Guard: "payload", Fields: 2, Probe: "find_account"}
	return []wire.JournalRecord{
		at(wire.RecordStart, "", 0, "", wire.StartData{Bot: "account-opening", Version: "1.1.0", Digest: wire.Digest([]byte("pack")), Trust: "embedded", Trigger: "schedule", Inputs: encoded(map[string]any{})}),
		at(wire.RecordResult, open, 1, "step", failed),
		at(wire.RecordTimer, open, 1, "wait", wire.TimerData{Name: "backoff", LengthMS: 2000}),
		signal(journal.SignalResume),
		at(wire.RecordTimer, "", 0, "", wire.TimerData{Name: "runner", LengthMS: 1000}),
		at(wire.RecordIntent, open, 2, "submit", intent),
		at(wire.RecordPrepared, open, 2, "submit", wire.PreparedData{Method: "POST", URL: "https://core.bank.example/api/accounts", Bytes: 311}),
		signal(journal.SignalResume),
		signal(journal.SignalRestored),
		signal(journal.SignalCancel),
		at(wire.RecordUnknown, open, 3, "submit", wire.UnknownData{Reason: "crash"}),
		at(wire.RecordReconciled, open, 3, "submit", wire.ReconciledData{State: wire.SubmitAcknowledged, By: "person", Receipt: map[string]string{"account_no": "1001"}}),
		signal(journal.SignalAnswer),
		at(wire.RecordResult, open, 4, "step", wire.ResultData{Value: encoded(map[string]string{"account_no": "1001"})}),
		at(wire.RecordEnd, "", 0, "", wire.EndData{State: wire.Succeeded, Output: encoded(map[string]string{"account": "1001"})}),
	}
}

// savedRuns are the saved journals by the name of their file.
func savedRuns() map[string][]wire.JournalRecord {
	return map[string][]wire.JournalRecord{"layout-1": savedRun(), "layout-1-survived": survivedRun()}
}

// TestBadJournalsAreRefused: journals that were changed, cut, mixed up, or written
// by a later version.
func TestBadJournalsAreRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "replay", "bad", "*.jsonl"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d bad journals, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := "journal_damaged"
		if strings.HasPrefix(filepath.Base(file), "newer") {
			want = "journal_newer"
		}
		if _, err := journal.Verify("run_savedsavedsaved0002", bytes.Split(bytes.TrimSpace(text), []byte("\n"))); !fault.HasCode(err, want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// TestSavedJournals reads the journal saved by every version. The files are
// never written again: a device may hold such journals for years.
func TestSavedJournals(t *testing.T) {
	t.Parallel()
	if *save {
		for name, records := range savedRuns() {
			saveJournal(t, name, records)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "replay", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no saved journals: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
			records, err := journal.Verify(savedRuns()[name][0].Run, bytes.Split(bytes.TrimSpace(text), []byte("\n")))
			if err != nil {
				t.Fatal(err)
			}
			if _, open := journal.OpenSubmit(records); open {
				t.Error("it has an open submit")
			}
			want, err := os.ReadFile(file[:len(file)-len(".jsonl")] + ".run.json")
			if err != nil {
				t.Fatal(err)
			}
			var wanted wire.Run
			var compact bytes.Buffer
			if err := errors.Join(json.Compact(&compact, want), json.Unmarshal(compact.Bytes(), &wanted)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted, journal.Describe(records)); diff != "" {
				t.Errorf("it is described differently now:\n%s", diff)
			}
		})
	}
}

func saveJournal(t *testing.T, name string, saved []wire.JournalRecord) {
	t.Helper()
	path := filepath.Join("testdata", "replay", name)
	if _, err := os.Stat(path + ".jsonl"); err == nil {
		return // it stays as it is
	}
	c := newClock()
	s := openStore(t, c)
	for _, r := range saved {
		c.pass(1234567 * time.Microsecond)
		if err := write(t, s, r); err != nil {
			t.Fatal(err)
		}
	}
	var lines bytes.Buffer
	err := s.View(func(tx *store.Tx) error {
		return tx.Range(store.Journal, store.Scan{}, func(_, line []byte) error {
			lines.Write(append(line, '\n'))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err := read(t, s, saved[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	described, err := json.MarshalIndent(journal.Describe(records), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for suffix, content := range map[string][]byte{".jsonl": lines.Bytes(), ".run.json": append(described, '\n')} {
		if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

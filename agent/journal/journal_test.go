package journal_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// clock is moved by tests.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func openStore(t *testing.T, c *clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func encoded(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) error {
	t.Helper()
	return s.Update(t.Context(), fn)
}

// record makes a record of a run in the step "open account".
func record(run string, kind wire.RecordKind, data any) wire.JournalRecord {
	r := wire.JournalRecord{Run: run, Kind: kind, By: wire.By{Person: "li.na", Kind: wire.ByUnverified}}
	if kind != wire.RecordStart && kind != wire.RecordEnd {
		r.Key = wire.JournalKey{Step: "open account", Attempt: 1, Call: "submit", Ordinal: 1}
	}
	if data != nil {
		r.Data = encoded(data)
	}
	return r
}

func start(run string) wire.JournalRecord {
	return record(run, wire.RecordStart, wire.StartData{Bot: "account-opening", Version: "1.0.0"})
}

func intent(run, key string) wire.JournalRecord {
	return record(run, wire.RecordIntent, wire.IntentData{Submit: "open", Key: key, Window: "8760h", Guard: "payload", Fields: 14})
}

func outcome(run, state string) wire.JournalRecord {
	return record(run, wire.RecordOutcome, wire.OutcomeData{State: state, Receipt: map[string]string{"account_no": "A-" + run}})
}

func reconciled(run, state string) wire.JournalRecord {
	return record(run, wire.RecordReconciled, wire.ReconciledData{State: state, By: "probe"})
}

func plain(run string, kind wire.RecordKind) wire.JournalRecord {
	return record(run, kind, struct{}{})
}

func end(run string) wire.JournalRecord {
	return record(run, wire.RecordEnd, wire.EndData{State: wire.Failed})
}

// write appends records one after the other and gives the first error.
func write(t *testing.T, s *store.Store, records ...wire.JournalRecord) error {
	t.Helper()
	for _, r := range records {
		err := update(t, s, func(tx *store.Tx) error {
			_, err := journal.Append(tx, r)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func read(t *testing.T, s *store.Store, run string) (records []wire.JournalRecord, err error) {
	t.Helper()
	err = s.View(func(tx *store.Tx) error {
		records, err = journal.Read(tx, run)
		return err
	})
	return records, err
}

func TestAppendCompletesAndChains(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openStore(t, c)
	if err := write(t, s, start("run_a"), plain("run_a", wire.RecordResult), start("run_b"), end("run_a")); err != nil {
		t.Fatal(err)
	}
	records, err := read(t, s, "run_a")
	if err != nil || len(records) != 3 {
		t.Fatalf("read %d records, %v", len(records), err)
	}
	prev := ""
	for i, r := range records {
		if r.V != wire.JournalVersion || r.N != uint64(i+1) || r.Prev != prev || !strings.HasPrefix(r.Hash, "sha256:") || !r.At.Equal(c.at) || r.Run != "run_a" {
			t.Errorf("record %d: %+v", i, r)
		}
		prev = r.Hash
	}
	if none, err := read(t, s, "run_never"); err != nil || len(none) != 0 {
		t.Errorf("a run that never started: %v, %v", none, err)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	const run = "run_a"
	prepared, unknown := plain(run, wire.RecordPrepared), record(run, wire.RecordUnknown, wire.UnknownData{Reason: "cut"})
	begun := []wire.JournalRecord{start(run), intent(run, "k")}
	tests := []struct {
		name   string
		before []wire.JournalRecord
		last   wire.JournalRecord
		code   string
	}{
		{"START is first", nil, plain(run, wire.RecordResult), "journal_order"},
		{"START only once", begun[:1], start(run), "journal_order"},
		{"nothing after END", []wire.JournalRecord{start(run), end(run)}, plain(run, wire.RecordResult), "journal_order"},
		{"PREPARED needs INTENT", begun[:1], prepared, "journal_order"},
		{"UNKNOWN needs INTENT", begun[:1], unknown, "journal_order"},
		{"answer needs INTENT", begun[:1], outcome(run, wire.SubmitAcknowledged), "journal_order"},
		{"doubt needs INTENT", begun[:1], outcome(run, wire.SubmitInDoubt), "journal_order"},
		{"found before INTENT", begun[:1], outcome(run, wire.SubmitAlreadyThere), ""},
		{"refused before INTENT", begun[:1], outcome(run, wire.SubmitRefused), ""},
		{"RECONCILED needs doubt", begun, reconciled(run, wire.SubmitAcknowledged), "journal_order"},
		{"RECONCILED after PREPARED", append(begun, prepared), reconciled(run, wire.SubmitNotProcessed), ""},
		{"RECONCILED after UNKNOWN", append(begun, prepared, unknown), reconciled(run, wire.SubmitAcknowledged), ""},
		{"RECONCILED says something new", append(begun, prepared, unknown), reconciled(run, "perhaps"), "journal_order"},
		{"END with an intent only", begun, end(run), ""},
		{"END while possibly sent", append(begun, prepared), end(run), "submit_open"},
		{"END while unknown", append(begun, prepared, unknown), end(run), "submit_open"},
		{"END while in doubt", append(begun, prepared, outcome(run, wire.SubmitInDoubt)), end(run), "submit_open"},
		{"INTENT while possibly sent", append(begun, prepared), intent(run, "k2"), "submit_open"},
		{"INTENT again after a crash", begun, intent(run, "k"), ""},
		{"a leg is PREPARED too", append(begun, prepared), prepared, ""},
		{"unknown kind", begun, plain(run, "guess"), "journal_order"},
		{"unknown outcome", begun, outcome(run, "perhaps"), "journal_order"},
		{"no run", nil, start(""), "journal_order"},
		{"a run with a zero byte", nil, start("run\x00a"), "journal_order"},
		{"INTENT without data", begun[:1], record(run, wire.RecordIntent, nil), "journal_order"},
		{"INTENT with a bad window", begun[:1], record(run, wire.RecordIntent, wire.IntentData{Key: "k", Window: "365d"}), "journal_order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, newClock())
			if err := write(t, s, test.before...); err != nil {
				t.Fatalf("before: %v", err)
			}
			err := write(t, s, test.last)
			if fault.Code(err) != test.code {
				t.Errorf("got %v, want code %q", err, test.code)
			}
			records, err := read(t, s, run)
			if want := len(test.before); err != nil || test.code != "" && len(records) != want {
				t.Errorf("afterwards %d records, want %d, %v", len(records), want, err)
			}
		})
	}
}

// Someone who has the key of the store still cannot change a journal unseen.
func TestTampering(t *testing.T) {
	t.Parallel()
	key := func(run string, n uint64) []byte { return append([]byte(run+"\x00"), store.NumberKey(n)...) }
	move := func(tx *store.Tx, from, to []byte) error {
		line, err := tx.Get(store.Journal, from)
		if err != nil {
			return err
		}
		return tx.Put(store.Journal, to, line)
	}
	change := func(tx *store.Tx, old, changed string) error {
		line, err := tx.Get(store.Journal, key("run_a", 2))
		if err != nil {
			return err
		}
		if !strings.Contains(string(line), old) {
			return fmt.Errorf("%s is not in %s", old, line)
		}
		return tx.Put(store.Journal, key("run_a", 2), []byte(strings.Replace(string(line), old, changed, 1)))
	}
	tests := []struct {
		name   string
		tamper func(tx *store.Tx) error
		code   string
	}{
		{"value changed", func(tx *store.Tx) error { return change(tx, `"6222"`, `"6223"`) }, "journal_damaged"},
		{"person changed", func(tx *store.Tx) error { return change(tx, "li.na", "wang.wei") }, "journal_damaged"},
		{"name added", func(tx *store.Tx) error { return change(tx, `{"at"`, `{"added":1,"at"`) }, "journal_damaged"},
		{"not JSON", func(tx *store.Tx) error { return tx.Put(store.Journal, key("run_a", 2), []byte("{")) }, "journal_damaged"},
		{"later layout", func(tx *store.Tx) error { return change(tx, `"v":1`, `"v":2`) }, "journal_newer"},
		{"middle removed", func(tx *store.Tx) error { return tx.Delete(store.Journal, key("run_a", 2)) }, "journal_damaged"},
		{"last removed", func(tx *store.Tx) error { return tx.Delete(store.Journal, key("run_a", 3)) }, "journal_damaged"},
		{"first removed", func(tx *store.Tx) error { return tx.Delete(store.Journal, key("run_a", 1)) }, "journal_damaged"},
		{"one repeated", func(tx *store.Tx) error { return move(tx, key("run_a", 3), key("run_a", 4)) }, "journal_damaged"},
		{"one of another run", func(tx *store.Tx) error { return move(tx, key("run_b", 2), key("run_a", 2)) }, "journal_damaged"},
		{"end lost", func(tx *store.Tx) error { return tx.Delete(store.JournalHeads, []byte("run_a")) }, "journal_damaged"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, newClock())
			for _, run := range []string{"run_a", "run_b"} {
				result := record(run, wire.RecordResult, map[string]string{"value": "6222"})
				if err := write(t, s, start(run), result, plain(run, wire.RecordTimer)); err != nil {
					t.Fatal(err)
				}
			}
			if err := update(t, s, test.tamper); err != nil {
				t.Fatal(err)
			}
			if _, err := read(t, s, "run_a"); fault.Code(err) != test.code {
				t.Errorf("read gave %v, want %s", err, test.code)
			}
			if _, err := read(t, s, "run_b"); err != nil {
				t.Errorf("the other run: %v", err)
			}
		})
	}
}

// A journal whose end was lost is not begun anew over what is left of it.
func TestLostEndIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	if err := write(t, s, start("run_a")); err != nil {
		t.Fatal(err)
	}
	if err := update(t, s, func(tx *store.Tx) error { return tx.Delete(store.JournalHeads, []byte("run_a")) }); err != nil {
		t.Fatal(err)
	}
	for _, r := range []wire.JournalRecord{start("run_a"), end("run_a")} {
		if err := write(t, s, r); !fault.HasCode(err, "journal_damaged") {
			t.Errorf("%s gave %v", r.Kind, err)
		}
	}
}

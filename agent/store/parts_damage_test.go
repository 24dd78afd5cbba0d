package store_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const damagedRun = "run_a"

// deviceWithData has one run with a settled submit, its view, its record for head
// office and a secret.
func deviceWithData(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records := []wire.JournalRecord{
		{Run: damagedRun, Kind: wire.RecordStart, Data: encoded(wire.StartData{Bot: "account-opening"})},
		{Run: damagedRun, Kind: wire.RecordIntent, Data: encoded(wire.IntentData{Submit: "open", Key: "k"})},
		{Run: damagedRun, Kind: wire.RecordPrepared, Data: encoded(wire.PreparedData{Method: "POST"})},
		{Run: damagedRun, Kind: wire.RecordOutcome, Data: encoded(wire.OutcomeData{State: wire.SubmitAcknowledged})},
		{Run: "run_b", Kind: wire.RecordStart, Data: encoded(wire.StartData{Bot: "account-opening"})},
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for _, r := range records {
			if _, err := journal.Append(tx, r); err != nil {
				return err
			}
		}
		_, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: damagedRun})
		return errors.Join(err,
			journal.PutRun(tx, wire.Run{Run: damagedRun, Bot: "account-opening", State: wire.Running, Started: tx.Now()}),
			vault.PutSecret(tx, vault.Secret{Name: "core", Site: "core", Values: vault.Values{"value": "x"}}))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// flip turns one bit in the middle of every value of a bucket.
func flip(t *testing.T, dir string, bucket store.Bucket) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, store.FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		rows := tx.Bucket([]byte(bucket))
		spoiled := map[string][]byte{}
		err := rows.ForEach(func(key, value []byte) error {
			spoiled[string(key)] = bytes.Clone(value)
			return nil
		})
		for key, value := range spoiled {
			value[len(value)/2] ^= 4
			err = errors.Join(err, rows.Put([]byte(key), value))
		}
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedRowsOfEachPart: what each part makes of a damaged row of its own.
func TestDamagedRowsOfEachPart(t *testing.T) {
	t.Parallel()
	code := func(want string, fn func(tx *store.Tx) error) func(t *testing.T, tx *store.Tx) {
		return func(t *testing.T, tx *store.Tx) {
			if err := fn(tx); fault.Code(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	read := func(tx *store.Tx) error {
		_, err := journal.Read(tx, damagedRun)
		return err
	}
	claim := func(tx *store.Tx) error {
		_, err := journal.Append(tx, wire.JournalRecord{Run: "run_b", Kind: wire.RecordIntent, Data: encoded(wire.IntentData{Key: "k"})})
		return err
	}
	tests := []struct {
		name   string
		bucket store.Bucket
		check  func(t *testing.T, tx *store.Tx)
	}{
		{"journal", store.Journal, code("journal_damaged", read)},
		{"end of the journal", store.JournalHeads, code("journal_damaged", read)},
		{"business key", store.Keys, code("key_in_doubt", claim)},
		{"view of a run", store.Runs, viewIsToldAgain},
		{"mark of an open run", store.RunsOpen, runIsStillOpen},
		{"record for head office", store.Outbox, recordIsReplaced},
		{"counters of the outbox", store.OutboxState, sequenceGoesOn},
		{"secret", store.Secrets, code("secret_damaged", func(tx *store.Tx) error {
			_, err := vault.GetSecret(tx, "core")
			return err
		})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			deviceWithData(t, dir)
			flip(t, dir, test.bucket)
			s, err := store.Open(t.Context(), store.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Update(t.Context(), func(tx *store.Tx) error {
				test.check(t, tx)
				return tx.Put(store.Settings, []byte("still"), []byte("works"))
			})
			if err != nil {
				t.Errorf("the store goes on: %v", err)
			}
		})
	}
}

func viewIsToldAgain(t *testing.T, tx *store.Tx) {
	run, err := journal.GetRun(tx, damagedRun)
	if err != nil || run.Bot != "account-opening" || len(run.Submits) != 1 || run.Submits[0].State != wire.SubmitAcknowledged {
		t.Errorf("told %+v, %v", run, err)
	}
	if err := journal.PutRun(tx, run); err != nil {
		t.Errorf("written again: %v", err)
	}
	if again, err := journal.GetRun(tx, damagedRun); err != nil || again.Bot != run.Bot {
		t.Errorf("read again: %+v, %v", again, err)
	}
}

func runIsStillOpen(t *testing.T, tx *store.Tx) {
	open, err := journal.Unfinished(tx)
	if err != nil || len(open) != 1 || open[0].Run != damagedRun || open[0].Bot == "" {
		t.Errorf("unfinished %+v, %v", open, err)
	}
}

// The counters are found again: nothing is lost and no number is given twice.
func sequenceGoesOn(t *testing.T, tx *store.Tx) {
	lines, first, err := outbox.Next(tx, 10, 1<<20)
	if len(lines) != 1 || first != 1 || err != nil {
		t.Errorf("%d records from %d, %v", len(lines), first, err)
	}
	if r, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun}); r.Seq != 2 || err != nil {
		t.Errorf("the next record has seq %d, %v", r.Seq, err)
	}
}

func recordIsReplaced(t *testing.T, tx *store.Tx) {
	if _, _, err := outbox.Next(tx, 10, 1<<20); !fault.HasCode(err, "outbox_damaged") {
		t.Errorf("next gave %v", err)
	}
	if n, err := outbox.Mend(tx, "dev_1", wire.By{Kind: wire.BySystem}); n != 1 || err != nil {
		t.Errorf("mended %d, %v", n, err)
	}
	if lines, first, err := outbox.Next(tx, 10, 1<<20); len(lines) != 1 || first != 1 || err != nil {
		t.Errorf("then %d records from %d, %v", len(lines), first, err)
	}
}

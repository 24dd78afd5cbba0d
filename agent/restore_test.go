package agent_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"branchbot/agent/control"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/wire"
)

// inStore works on the database of a folder that no agent has.
func inStore(t *testing.T, dir string, fn func(tx *store.Tx) error) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Update(t.Context(), fn), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func raw(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sentOnce is a device whose run may have sent its form, with records that wait.
func sentOnce(t *testing.T, dir string) {
	t.Helper()
	inStore(t, dir, func(tx *store.Tx) error {
		for _, r := range []wire.JournalRecord{
			{Run: "run_a", Kind: wire.RecordStart, Data: raw(t, wire.StartData{Bot: "account-opening"})},
			{Run: "run_a", Kind: wire.RecordIntent, Data: raw(t, wire.IntentData{Submit: "open", Key: "k"})},
			{Run: "run_a", Kind: wire.RecordPrepared, Data: raw(t, wire.PreparedData{Method: "POST"})},
		} {
			if _, err := journal.Append(tx, r); err != nil {
				return err
			}
		}
		for range 3 {
			if _, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: "run_z"}); err != nil {
				return err
			}
		}
		return errors.Join(
			journal.PutRun(tx, wire.Run{Run: "run_a", Bot: "account-opening", State: wire.Running, Started: tx.Now()}),
			vault.PutIdentity(tx, vault.Identity{Device: "dev_a", HeadOffice: "https://127.0.0.1:1"}))
	})
}

func spoil(t *testing.T, dir string, spoil func(file []byte)) {
	t.Helper()
	path := filepath.Join(dir, store.FileName)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoil(file)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A device whose database cannot be opened starts by itself; what follows from its
// new epoch is drawn once: the run is possibly sent, its key is taken, what waited
// goes first, the loss is told, and every submit looks up first.
func TestADamagedDatabaseHasConsequences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sentOnce(t, dir)
	spoil(t, dir, func(file []byte) { clear(file[:8192]) })
	a := open(t, options(dir, &book{}))
	line, err := a.Outbox(t.Context(), control.Nothing{})
	if err != nil {
		t.Fatal(err)
	}
	r := line.Database.Restored
	if r == nil || !r.Settled || r.FormerEpoch == "" || r.FormerEpoch == line.Epoch || line.Waiting < 4 {
		t.Errorf("restored %+v, line %+v", r, line)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, options(dir, &book{})) // nothing happens twice
	if twice, err := again.Outbox(t.Context(), control.Nothing{}); err != nil || twice.Epoch != line.Epoch || twice.Waiting != line.Waiting {
		t.Errorf("after another start %+v, %v", twice, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	inStore(t, dir, checkConsequences(t))
}

func checkConsequences(t *testing.T) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		if _, on := journal.LookFirst(tx); !on {
			t.Error("submits do not look first")
		}
		claim, taken, err := journal.FindClaim(tx, "account-opening", "k")
		if err != nil || !taken || claim.Run != "run_a" {
			t.Errorf("the key is %+v, taken %t, %v", claim, taken, err)
		}
		records, err := journal.Read(tx, "run_a")
		if err != nil {
			return err
		}
		restored := slices.ContainsFunc(records, func(r wire.JournalRecord) bool {
			return r.Kind == wire.RecordSignal && bytes.Contains(r.Data, []byte(journal.SignalRestored))
		})
		if _, sent := journal.OpenSubmit(records); !sent || !restored {
			t.Errorf("possibly sent %t, told that it was restored %t: %+v", sent, restored, records)
		}
		return nil
	}
}

// Even an identity that is lost with the file does not keep the device from starting.
func TestADamagedIdentityDoesNotStopTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sentOnce(t, dir)
	spoil(t, dir, func(file []byte) {
		older := 0 // of the two headers, which bbolt writes in turn
		if tx := func(at int) uint64 { return binary.NativeEndian.Uint64(file[at+64:]) }; tx(0) > tx(4096) {
			older = 4096
		}
		clear(file[older : older+4096])
		for at := 0; ; at++ { // the row's first bytes behind its key, in every copy
			next := bytes.Index(file[at:], []byte("identity\x02"))
			if next < 0 {
				break
			}
			at += next
			for i := range 9 {
				file[at+30+i] ^= 0x55
			}
		}
	})
	a := open(t, options(dir, &book{}))
	line, err := a.Outbox(t.Context(), control.Nothing{})
	if err != nil || line.Database.Restored == nil || line.Database.Restored.Lost["identity"] != 1 {
		t.Errorf("%+v, %v", line.Database, err)
	}
}

package headoffice_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchbot/headoffice"
	"branchbot/headoffice/access"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/hotest"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// What befell the line is on the pages, in words that say what to do.
func TestPagesNameGapsAndHalts(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	request := wire.IngestRequest{Device: device.ID, Epoch: device.Epoch, FirstSeq: 4, Oldest: 4, Records: device.Records(4, 6)}
	if err := device.Call("POST", "/v1/ingest", request, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := device.Send(device.RunRecord(5, account("run_other", wire.Failed, time.Now()))); !fault.HasCode(err, "device_halted") {
		t.Fatalf("another record 5: %v", err)
	}
	admin := office.Browser(t, access.Admin)
	for path, wants := range map[string][]string{
		"/devices":              {"3 records are neither here nor on any device", "two machines share one identity", "device token --again " + device.ID},
		"/devices/" + device.ID: {"1 to 3", "1 in two versions", "Present", "device token --again " + device.ID},
	} {
		_, body := admin.Do(t, "GET", path+"?lang=en", "")
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q:\n%s", path, want, body)
			}
		}
	}
}

// A device that was put together again gets its own runs back, in pages, and
// nobody else's.
func TestKeysComeBack(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	other := hotest.Enrol(t, office.Base, office.Token(t, enrol.TokenOptions{}))
	const runs = 620
	for _, d := range []*hotest.Device{device, other} {
		if _, err := d.Send(d.Records(1, runs)...); err != nil {
			t.Fatal(err)
		}
	}
	request, got, pages := wire.KeysRequest{Device: device.ID}, 0, 0
	for more := true; more; pages++ {
		var reply wire.KeysReply
		if err := device.Call("POST", "/v1/keys", request, &reply); err != nil {
			t.Fatal(err)
		}
		for _, run := range reply.Runs {
			if run.Run <= request.After || run.Bot != "account-opening" {
				t.Fatalf("%+v came behind %s", run, request.After)
			}
			request.After = run.Run
		}
		got, more = got+len(reply.Runs), reply.More
	}
	if got != runs || pages != 2 {
		t.Errorf("%d runs in %d pages, want %d in 2", got, pages, runs)
	}
	later := wire.KeysRequest{Device: device.ID, Since: time.Now().Add(time.Hour)}
	var none wire.KeysReply
	if err := device.Call("POST", "/v1/keys", later, &none); err != nil || len(none.Runs) != 0 || none.More {
		t.Errorf("since a time to come: %+v, %v", none, err)
	}
	if err := device.Call("POST", "/v1/keys", wire.KeysRequest{Device: other.ID}, nil); !fault.HasCode(err, "device_mismatch") {
		t.Errorf("the keys of another device: %v", err)
	}
	for _, body := range []string{"", "[]", "{", `{"since":"x"}`} {
		if err := device.Call("POST", "/v1/keys", []byte(body), nil); !fault.HasCode(err, "request_invalid") && !fault.HasCode(err, "device_mismatch") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

var operator = store.Actor{Person: "li", Kind: wire.ByOS}

// backedUp is a head office with evidence, stopped, and its backup.
func backedUp(t *testing.T) (data, file string, device *hotest.Device) {
	t.Helper()
	office, device := start(t)
	if _, err := device.Send(device.Records(1, 3)...); err != nil {
		t.Fatal(err)
	}
	if err := device.Call("PUT", "/v1/evidence/"+wire.Digest([]byte("picture")), []byte("picture"), nil); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "backup.tar")
	made, err := headoffice.WriteBackup(t.Context(), office.Data, file, operator)
	if err != nil || made.Files != 3 || made.Incarnation != office.Parts.Store.Incarnation() {
		t.Fatalf("backup %+v, %v; want database, key and one picture", made, err)
	}
	office.Stop(t)
	return office.Data, file, device
}

// Restored on another machine: keys, evidence and records are there, devices are
// let in as before, and the incarnation is new.
func TestRestoreElsewhere(t *testing.T) {
	t.Parallel()
	_, file, device := backedUp(t)
	data := filepath.Join(t.TempDir(), "new")
	done, err := headoffice.RestoreBackup(t.Context(), data, file, false, operator)
	if err != nil || done.Aside != "" || done.Incarnation == done.Was {
		t.Fatalf("restore %+v, %v", done, err)
	}
	office := hotest.Start(t, data)
	device.Base = office.Base
	reply, err := device.Send(device.Records(2, 5)...)
	if err != nil || reply.NextSeq != 6 || reply.Incarnation != done.Incarnation {
		t.Errorf("the device sends on: %+v, %v", reply, err)
	}
	if _, err := os.Stat(filepath.Join(data, "evidence", device.ID)); err != nil {
		t.Errorf("evidence: %v", err)
	}
	if _, body := office.Browser(t, access.Viewer).Do(t, "GET", "/devices?lang=en", ""); !strings.Contains(body, "Head office was restored on") {
		t.Error("the page does not say that head office was restored")
	}
}

// Whatever is wrong with a backup is found before anything is changed.
func TestADamagedBackupChangesNothing(t *testing.T) {
	t.Parallel()
	data, file, _ := backedUp(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := folder(t, data)
	spoil := func(name string, spoilt []byte) {
		path := filepath.Join(t.TempDir(), "spoilt.tar")
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := headoffice.RestoreBackup(t.Context(), data, path, true, operator); !fault.HasCode(err, "backup_damaged") {
			t.Errorf("%s: %v, want backup_damaged", name, err)
		}
		if after := folder(t, data); after != before {
			t.Fatalf("%s: the folder was changed:\n%s\nwas\n%s", name, after, before)
		}
	}
	spoil("empty", nil)
	for _, at := range []int{100, len(whole) / 3, len(whole) * 9 / 10} {
		spoil("cut", whole[:at])
		flipped := bytes.Clone(whole)
		flipped[at] ^= 4
		if at != 100 { // a name's padding says nothing
			spoil("one bit", flipped)
		}
	}
}

// folder lists names and sizes.
func folder(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && !entry.IsDir() {
			text, _ := json.Marshal([]any{entry.Name(), info.Size()})
			list = append(list, string(text))
		}
	}
	return strings.Join(list, "\n")
}

// A restore that was killed while it moved files leaves nothing that is served as
// if it were whole; run again it ends well.
func TestAnInterruptedRestore(t *testing.T) {
	t.Parallel()
	data, file, _ := backedUp(t)
	if err := os.Mkdir(filepath.Join(data, "restore-moving"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, "headoffice.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := headoffice.Open(t.Context(), data); !fault.HasCode(err, "restore_unfinished") {
		t.Fatalf("open: %v, want restore_unfinished", err)
	}
	if _, err := headoffice.RestoreBackup(t.Context(), data, file, false, operator); err != nil {
		t.Fatal(err)
	}
	hotest.Start(t, data)
}

package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	at  = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	by  = wire.By{Person: "li.na", Kind: wire.ByUnverified}
	bad = wire.Mismatch{Field: "证件号码", Path: "$.idNumber", Code: "differs", Meant: "***0073", Actual: "***0074"}
)

// messages are everything that crosses a process border, with every field set.
func messages() map[string]any {
	run := wire.Run{
		Run: "run_2345abcd", Bot: "account-opening", Version: "1.4.0", Digest: "sha256:aa", Trust: "embedded", Trigger: "manual",
		State: wire.Failed, Output: json.RawMessage(`{"account":"6222"}`),
		Exception:    &wire.Exception{Kind: "business", Code: "rejected", Message: "refused", Hint: "correct it", Where: "main.star:2:13 in run", Class: "business"},
		Steps:        []wire.StepView{{Name: "open account", Kind: "submit", State: "done", MS: 12, Attempts: 1}},
		Submits:      []wire.SubmitView{{Name: "open", Key: "110105|savings", State: wire.SubmitRejected, Guard: "payload", Fields: 14, Mismatches: []wire.Mismatch{bad}, Attempts: 1, GuardMS: 1.9, Receipt: map[string]string{"account_no": "6222"}, KeyWindow: "8760h"}},
		Forms:        []wire.FormView{{Form: "个人开户", Fields: 14, Healed: 1, MS: 85}},
		Evidence:     []wire.EvidenceRef{{Digest: "sha256:bb", Kind: "before_submit", MediaType: "image/png", Bytes: 3, Step: "open account", At: at}},
		Origins:      map[string]string{"core": "https://core.example"},
		By:           by,
		MinutesSaved: 15, BusinessDate: "2026-11-23", Started: at, Finished: &at,
	}
	return map[string]any{
		"run": run,
		"record": wire.Record{
			V: wire.RecordVersion, Device: "dev_a", Epoch: "e1", Seq: 7, Kind: wire.KindRun, Subject: run.Run,
			Created: at, BusinessDate: "2026-11-23", By: by, Body: json.RawMessage(`{"run":"run_2345abcd"}`), Former: []wire.Place{{Epoch: "e0", Seq: 3}},
		},
		"epoch_began":    wire.EpochBegan{Former: "e0", FormerTo: 3, Reason: "restored", Lost: map[string]uint64{"runs": 2}, Snapshot: &at},
		"keys_request":   wire.KeysRequest{Device: "dev_a", Since: at, After: run.Run},
		"keys_reply":     wire.KeysReply{Runs: []wire.Run{run}, More: true},
		"ingest_request": wire.IngestRequest{Device: "dev_a", Epoch: "e1", FirstSeq: 7, Oldest: 2, Records: []json.RawMessage{json.RawMessage(`{"seq":7}`)}},
		"ingest_reply":   wire.IngestReply{Incarnation: "i1", Epoch: "e1", NextSeq: 8, MaxBatch: 500, RetryAfter: 3, Last: "sha256:33"},
		"enrol_token":    wire.EnrolToken{Token: "secret", CA: "-----BEGIN CERTIFICATE-----", Roots: "sha256:cc"},
		"enrol_request":  wire.EnrolRequest{Token: "secret", CSR: "-----BEGIN CERTIFICATE REQUEST-----", Hostname: "pc-12", Version: "0.1.0"},
		"enrol_reply":    wire.EnrolReply{Device: "dev_a", Certificate: "-----BEGIN CERTIFICATE-----", StateKey: "AAAA"},
		"journal_record": wire.JournalRecord{
			V: wire.JournalVersion, Run: run.Run, N: 3, Kind: wire.RecordResult, Key: wire.JournalKey{Step: "open account", Attempt: 1, Call: "ocr.read", Ordinal: 2},
			Args: "sha256:dd", Data: json.RawMessage(`{"value":{}}`), MS: 40, At: at, Up: &wire.Uptime{Boot: "b1", MS: 5}, By: by, Prev: "sha256:ee", Hash: "sha256:ff",
		},
		"journal_start": wire.StartData{
			Bot: run.Bot, Version: run.Version, Digest: run.Digest, Trust: run.Trust, Trigger: run.Trigger,
			Inputs: json.RawMessage(`{"name":"王小明"}`), Origins: run.Origins,
		},
		"journal_result":     wire.ResultData{Value: json.RawMessage(`{"a":1}`), Error: run.Exception},
		"journal_intent":     wire.IntentData{Submit: "open", Key: "110105|savings", Window: "8760h0m0s", Values: map[string]string{"姓名": "王小明"}, Digest: "sha256:11", Guard: "payload", Fields: 1, Probe: "find_account"},
		"journal_prepared":   wire.PreparedData{Method: "POST", URL: "https://core.example/api/accounts", Body: "sha256:22", Bytes: 120},
		"journal_outcome":    wire.OutcomeData{State: wire.SubmitRefused, Reason: "mismatch", Receipt: map[string]string{"account_no": "6222"}, Message: "no", Status: 200, Mismatches: []wire.Mismatch{bad}, GuardMS: 1.9, Submit: "open", Key: "110105|savings", Fields: 14},
		"journal_unknown":    wire.UnknownData{Reason: "cut", Status: 502},
		"journal_reconciled": wire.ReconciledData{State: wire.SubmitAcknowledged, Receipt: map[string]string{"account_no": "6222"}, By: "probe"},
		"journal_timer":      wire.TimerData{Name: "backoff", LengthMS: 2000},
		"journal_signal":     wire.SignalData{Signal: "restored"},
		"journal_end":        wire.EndData{State: wire.Failed, Output: json.RawMessage(`{}`), Exception: run.Exception},
	}
}

// What was shipped once is read for ever: each message has its golden file, and
// reading that file gives the message back.
func TestFormatsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, message := range messages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			complete(t, name, reflect.ValueOf(message))
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(message); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("the format has changed (-golden +now):\n%s", diff)
			}
			back := reflect.New(reflect.TypeOf(message))
			if err := json.Unmarshal(want, back.Interface()); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back.Interface())
			if err != nil {
				t.Fatal(err)
			}
			compact, err := json.Marshal(message)
			if err != nil || string(again) != string(compact) {
				t.Errorf("read back as %s, want %s (%v)", again, compact, err)
			}
		})
	}
}

// complete wants every field set and named in snake_case: a new field that
// nobody put into the golden file is found here.
func complete(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.Struct:
		complete(t, path, v.Index(0))
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name != strings.ToLower(name) {
				t.Errorf("%s.%s is named %q in JSON", path, field.Name, name)
			}
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not set here", path, field.Name)
			}
			complete(t, path+"."+field.Name, v.Field(i))
		}
	}
}

func TestLaterNamesAreIgnored(t *testing.T) {
	t.Parallel()
	for name, message := range messages() {
		raw, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		later := append([]byte(`{"added_later":{"x":[1]},`), raw[1:]...)
		if err := json.Unmarshal(later, reflect.New(reflect.TypeOf(message)).Interface()); err != nil {
			t.Errorf("%s of a later version: %v", name, err)
		}
	}
}

func TestFinalStates(t *testing.T) {
	t.Parallel()
	for state, final := range map[wire.RunState]bool{
		wire.Queued: false, wire.Running: false, wire.WaitingOn: false, wire.InDoubt: false,
		wire.Succeeded: true, wire.Failed: true, wire.Cancelled: true, wire.Missed: true,
	} {
		if state.Final() != final {
			t.Errorf("%s is final: %t, want %t", state, state.Final(), final)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := wire.NewID(wire.RunPrefix)
		if rest, ok := strings.CutPrefix(id, "run_"); !ok || len(rest) != 20 || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
	if got, want := wire.Digest([]byte("abc")), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

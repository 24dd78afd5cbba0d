// Package storetest is the behaviour that every store of head office has. An
// implementation's test calls Run.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Run runs the suite; open returns an empty store, closed by the test.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"sequence":          sequence,
		"resent":            resent,
		"changed record":    changedRecord,
		"clone":             clone,
		"former epoch":      formerEpoch,
		"gap":               gap,
		"gap is filled":     gapIsFilled,
		"lost on device":    lostOnDevice,
		"former place":      formerPlace,
		"enrolled again":    enrolledAgain,
		"submitted":         submitted,
		"copy":              copied,
		"unreadable":        unreadable,
		"group":             group,
		"run moves forward": runMovesForward,
		"filters":           filters,
		"token":             token,
		"token race":        tokenRace,
		"approval":          approval,
		"revocation":        revocation,
		"links":             links,
		"keys":              keysKept,
		"stamp":             stamp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

const (
	device = "dev_one"
	print1 = "fingerprint"
)

var day = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// Enrol makes a device with a certificate.
func Enrol(t testing.TB, s store.Store, id, fingerprint string) {
	t.Helper()
	hash := "token-of-" + id
	must(t, s.AddTokens(t.Context(), []store.Token{{Hash: hash, Created: day, Expires: day.Add(time.Hour)}}))
	_, err := s.Claim(t.Context(), hash, store.Device{ID: id, State: store.DeviceApproved, Key: "key-of-" + id, Enrolled: day})
	must(t, err)
	must(t, s.Certify(t.Context(), id, store.Certificate{Fingerprint: fingerprint, Expires: day.Add(24 * time.Hour)}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.HasCode(err, code) {
		t.Fatalf("error %v has code %q, want %q", err, fault.Code(err), code)
	}
}

// record makes a run record; text makes its content differ.
func record(seq uint64, run string, state wire.RunState, text string) store.Record {
	body := wire.Run{Run: run, Bot: "account-opening", Version: "1.0.0", State: state, Started: day, BusinessDate: text}
	raw, _ := json.Marshal(wire.Record{V: 1, Device: device, Epoch: "e", Seq: seq, Kind: wire.KindRun, Subject: run, Created: day, Body: mustJSON(body)})
	return store.Record{Seq: seq, Digest: wire.Digest(raw), Raw: raw, Kind: wire.KindRun, Subject: run, Created: day, Run: &body}
}

func mustJSON(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}

func records(from, to uint64) []store.Record {
	var list []store.Record
	for seq := from; seq <= to; seq++ {
		list = append(list, record(seq, fmt.Sprintf("run_%d", seq), wire.Succeeded, ""))
	}
	return list
}

func batch(epoch string, first uint64, list ...store.Record) store.Batch {
	return store.Batch{Device: device, Fingerprint: print1, Epoch: epoch, First: first, Records: list, Received: day}
}

func ingest(t *testing.T, s store.Store, b store.Batch) store.Result {
	t.Helper()
	results, err := s.Ingest(t.Context(), []store.Batch{b})
	must(t, err)
	return results[0]
}

func runIDs(t *testing.T, s store.Store, filter store.RunFilter) []string {
	t.Helper()
	ids := []string{}
	for row, err := range s.Runs(t.Context(), filter) {
		must(t, err)
		ids = append(ids, row.Run)
	}
	slices.Sort(ids)
	return ids
}

func sequence(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	disorder := batch("e", 1, record(1, "run_1", wire.Succeeded, ""), record(3, "run_3", wire.Succeeded, ""))
	for _, step := range []struct {
		name   string
		batch  store.Batch
		next   uint64
		stored int
	}{
		{"nothing yet", batch("e", 0), 1, 0},
		{"gap at the start", batch("e", 2, records(2, 2)...), 1, 0},
		{"hole inside: what is before it is taken", disorder, 2, 1},
		{"in order", batch("e", 2, records(2, 4)...), 5, 3},
		{"again", batch("e", 2, records(2, 4)...), 5, 0},
		{"overlap", batch("e", 3, records(3, 6)...), 7, 2},
		{"from the beginning", batch("e", 1, records(1, 6)...), 7, 0},
		{"gap", batch("e", 9, records(9, 10)...), 7, 0},
	} {
		got := ingest(t, s, step.batch)
		if got.Err != nil || got.NextSeq != step.next || got.Stored != step.stored {
			t.Fatalf("%s: got %+v, want next %d, stored %d", step.name, got, step.next, step.stored)
		}
	}
	if diff := cmp.Diff([]string{"run_1", "run_2", "run_3", "run_4", "run_5", "run_6"}, runIDs(t, s, store.RunFilter{})); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// A batch in which nothing tells its place is found again by its content.
func resent(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	garbage := store.Record{Raw: []byte(`"?"`), Digest: wire.Digest([]byte(`"?"`)), Flag: store.FlagUndecodable}
	for i, want := range []uint64{2, 2} {
		if got := ingest(t, s, batch("e", 0, garbage)); got.Err != nil || got.NextSeq != want {
			t.Fatalf("time %d: got %+v, want next %d", i+1, got, want)
		}
	}
}

func changedRecord(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 3)...))
	changed := batch("e", 2, record(2, "run_2", wire.Failed, "other"), record(3, "run_3", wire.Succeeded, ""))
	wantCode(t, ingest(t, s, changed).Err, "device_halted")
	wantCode(t, ingest(t, s, batch("e", 4, records(4, 4)...)).Err, "device_halted")
	row, err := s.Run(t.Context(), device, "run_2")
	must(t, err)
	if row.State != string(wire.Succeeded) {
		t.Errorf("the first version was replaced: %s", row.State)
	}
	halted, err := s.Device(t.Context(), device)
	must(t, err)
	if halted.State != store.DeviceHalted || halted.HaltReason == "" {
		t.Errorf("device is %+v, want halted with a reason", halted)
	}
}

// Two machines with one identity: the older epoch goes on after a newer began.
func clone(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("old", 1, records(1, 2)...))
	fresh := record(1, "run_new", wire.Succeeded, "")
	fresh.Created = day.Add(time.Hour)
	if got := ingest(t, s, batch("new", 1, fresh)); got.Err != nil || got.NextSeq != 2 {
		t.Fatalf("a new epoch: %+v", got)
	}
	late := record(3, "run_late", wire.Succeeded, "")
	late.Created = day.Add(2 * time.Hour)
	wantCode(t, ingest(t, s, batch("old", 3, late)).Err, "device_halted")
}

func unreadable(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	garbage := store.Record{Raw: []byte(`[1]`), Digest: wire.Digest([]byte(`[1]`)), Flag: store.FlagUndecodable}
	got := ingest(t, s, batch("e", 1, record(1, "run_1", wire.Succeeded, ""), garbage, record(3, "run_3", wire.Succeeded, "")))
	if got.Err != nil || got.NextSeq != 4 {
		t.Fatalf("got %+v, want next 4", got)
	}
	counts, err := s.Counts(t.Context())
	must(t, err)
	want := store.Counts{Devices: 1, Runs: 2, States: map[string]int{"succeeded": 2}, Flagged: 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// One batch of a group that fails leaves the others alone.
func group(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	stranger := batch("e", 1, records(1, 1)...)
	stranger.Device = "dev_stranger"
	otherCertificate := batch("e", 1, records(1, 1)...)
	otherCertificate.Fingerprint = "another"
	results, err := s.Ingest(t.Context(), []store.Batch{
		stranger, batch("e", 1, records(1, 2)...), otherCertificate, batch("e", 3, records(3, 3)...),
	})
	must(t, err)
	wantCode(t, results[0].Err, "device_unknown")
	wantCode(t, results[2].Err, "device_unknown")
	if results[1].NextSeq != 3 || results[3].NextSeq != 4 {
		t.Errorf("next %d and %d, want 3 and 4", results[1].NextSeq, results[3].NextSeq)
	}
}

func runMovesForward(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, record(1, "run_x", wire.InDoubt, ""), record(2, "run_x", wire.Succeeded, "")))
	row, err := s.Run(t.Context(), device, "run_x")
	must(t, err)
	if row.State != "succeeded" || row.Seq != 2 || row.Epoch != "e" || !row.Started.Equal(day) {
		t.Errorf("got %+v, want the latest record", row)
	}
	var kept wire.Run
	if err := json.Unmarshal(row.Record, &kept); err != nil || kept.State != wire.Succeeded {
		t.Errorf("record %s: %v", row.Record, err)
	}
	_, err = s.Run(t.Context(), "dev_other", "run_x")
	wantCode(t, err, "run_unknown")
}

func filters(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, record(1, "run_1", wire.Failed, ""), record(2, "run_2", wire.Succeeded, ""), record(3, "run_3", wire.Failed, "")))
	for _, c := range []struct {
		name   string
		filter store.RunFilter
		want   []string
	}{
		{"state", store.RunFilter{State: "failed"}, []string{"run_1", "run_3"}},
		{"other device", store.RunFilter{Device: "dev_none"}, []string{}},
		{"bot and state", store.RunFilter{Bot: "account-opening", State: "succeeded"}, []string{"run_2"}},
		{"since", store.RunFilter{Since: day.Add(time.Second)}, []string{}},
		{"since that moment", store.RunFilter{Since: day, Device: device}, []string{"run_1", "run_2", "run_3"}},
		{"hostile", store.RunFilter{State: "failed' OR 1=1 --"}, []string{}},
	} {
		if diff := cmp.Diff(c.want, runIDs(t, s, c.filter)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func token(t *testing.T, s store.Store) {
	must(t, s.AddTokens(t.Context(), []store.Token{
		{Hash: "good-token-00", Expires: day.Add(time.Hour)}, {Hash: "old-token-000", Expires: day.Add(-time.Hour)},
	}))
	claim := func(hash, id, key string) (store.Device, error) {
		return s.Claim(t.Context(), hash, store.Device{ID: id, State: store.DeviceApproved, Key: key, Enrolled: day})
	}
	_, err := claim("no-token", "dev_0", "k")
	wantCode(t, err, "token_unknown")
	_, err = claim("old-token-000", "dev_0", "k")
	wantCode(t, err, "token_expired")
	first, err := claim("good-token-00", "dev_1", "k1")
	must(t, err)
	again, err := claim("good-token-00", "dev_2", "k1")
	must(t, err)
	if first.ID != "dev_1" || again.ID != "dev_1" {
		t.Errorf("the same key got %s and %s, want dev_1 twice", first.ID, again.ID)
	}
	_, err = claim("good-token-00", "dev_3", "k3")
	wantCode(t, err, "token_used")
}

func tokenRace(t *testing.T, s store.Store) {
	must(t, s.AddTokens(t.Context(), []store.Token{{Hash: "one-token-000", Expires: day.Add(time.Hour)}}))
	errs := make([]error, 8)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			_, errs[i] = s.Claim(context.Background(), "one-token-000", store.Device{
				ID: fmt.Sprintf("dev_%d", i), State: store.DeviceApproved, Key: fmt.Sprintf("key %d", i), Enrolled: day,
			})
		})
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, "token_used")
	}
	devices, err := s.Devices(t.Context())
	must(t, err)
	if won != 1 || len(devices) != 1 {
		t.Errorf("%d claims won, %d devices, want one", won, len(devices))
	}
}

func approval(t *testing.T, s store.Store) {
	must(t, s.AddTokens(t.Context(), []store.Token{{Hash: "by-hand-token", Expires: day.Add(time.Hour), ByHand: true}}))
	waiting, err := s.Claim(t.Context(), "by-hand-token", store.Device{ID: device, State: store.DeviceApproved, Key: "k", Enrolled: day})
	must(t, err)
	if waiting.State != store.DeviceWaiting {
		t.Fatalf("state %s, want waiting", waiting.State)
	}
	must(t, s.Approve(t.Context(), device, store.Actor{Person: "li"}))
	wantCode(t, s.Approve(t.Context(), device, store.Actor{}), "device_not_waiting")
	wantCode(t, s.Approve(t.Context(), "dev_none", store.Actor{}), "device_unknown")
	again, err := s.Claim(t.Context(), "by-hand-token", store.Device{ID: "dev_x", Key: "k", Enrolled: day.Add(48 * time.Hour)})
	must(t, err)
	if again.ID != device || again.State != store.DeviceApproved {
		t.Errorf("got %+v, want the approved device", again)
	}
}

func revocation(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 1)...))
	must(t, s.Revoke(t.Context(), device, store.Actor{Person: "li"}))
	wantCode(t, s.Revoke(t.Context(), device, store.Actor{}), "device_unknown")
	wantCode(t, ingest(t, s, batch("e", 2, records(2, 2)...)).Err, "device_unknown")
	_, err := s.Claim(t.Context(), "token-of-"+device, store.Device{ID: "dev_back", Key: "key-of-" + device, Enrolled: day})
	wantCode(t, err, "token_used")
	if got := runIDs(t, s, store.RunFilter{}); len(got) != 1 {
		t.Errorf("runs %v, want what was reported to stay", got)
	}
}

func links(t *testing.T, s store.Store) {
	now := time.Now()
	must(t, s.AddLink(t.Context(), store.Link{Hash: "link", Role: "viewer", Person: "li", Expires: now.Add(time.Hour)}))
	must(t, s.AddLink(t.Context(), store.Link{Hash: "late", Role: "admin", Expires: now.Add(-time.Hour)}))
	session, err := s.UseLink(t.Context(), "link", store.Session{Hash: "session", CSRF: "c", Expires: now.Add(time.Hour)})
	must(t, err)
	if session.Role != "viewer" || session.Person != "li" {
		t.Errorf("session %+v, want the link's role and person", session)
	}
	for _, hash := range []string{"link", "late", "none"} {
		_, err := s.UseLink(t.Context(), hash, store.Session{Hash: "other " + hash, Expires: now.Add(time.Hour)})
		wantCode(t, err, "link_invalid")
	}
	if _, err := s.Session(t.Context(), "session", now); err != nil {
		t.Error(err)
	}
	_, err = s.Session(t.Context(), "session", now.Add(2*time.Hour))
	wantCode(t, err, "session_unknown")
	must(t, s.EndSession(t.Context(), "session"))
	_, err = s.Session(t.Context(), "session", now)
	wantCode(t, err, "session_unknown")
}

func keysKept(t *testing.T, s store.Store) {
	_, err := s.Key(t.Context(), "ca")
	wantCode(t, err, "key_unknown")
	for _, sealed := range []string{"first", "second"} {
		kept, err := s.KeepKey(t.Context(), store.Key{Name: "ca", Public: []byte("p"), Sealed: []byte(sealed)})
		must(t, err)
		if string(kept.Sealed) != "first" {
			t.Errorf("kept %q, want the first", kept.Sealed)
		}
	}
}

func stamp(t *testing.T, s store.Store) {
	seen := map[string]bool{}
	look := func(what string) {
		t.Helper()
		text, err := s.Stamp(t.Context())
		must(t, err)
		if seen[text] {
			t.Errorf("%s did not change the stamp %s", what, text)
		}
		seen[text] = true
	}
	look("nothing")
	Enrol(t, s, device, print1)
	look("a new device")
	ingest(t, s, batch("e", 1, records(1, 1)...))
	look("a record")
	ingest(t, s, batch("e", 1, record(1, "run_1", wire.Failed, "changed")))
	look("a halt")
	must(t, s.Revoke(t.Context(), device, store.Actor{}))
	look("a revocation")
	if s.Incarnation() == "" {
		t.Error("no incarnation")
	}
}

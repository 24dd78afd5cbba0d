package storetest

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/headoffice/store"
	"branchbot/internal/wire"
)

// An epoch that another one follows may be finished until that one has a record.
func formerEpoch(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("old", 1, records(1, 2)...))
	ask := batch("new", 0)
	ask.Oldest = 1
	if got := ingest(t, s, ask); got.NextSeq != 1 {
		t.Fatalf("asking for a new epoch: %+v", got)
	}
	if got := ingest(t, s, batch("old", 3, records(3, 3)...)); got.Err != nil || got.NextSeq != 4 {
		t.Fatalf("finishing the former one: %+v", got)
	}
	ingest(t, s, batch("new", 1, record(1, "run_new", wire.Succeeded, "")))
	for _, known := range []store.Batch{batch("old", 0), batch("old", 2, records(2, 3)...)} {
		if got := ingest(t, s, known); got.Err != nil || got.NextSeq != 4 {
			t.Fatalf("what is known may come again: %+v", got)
		}
	}
	wantCode(t, ingest(t, s, batch("old", 4, records(4, 4)...)).Err, "device_halted")
	epochs, err := s.Epochs(t.Context(), device)
	must(t, err)
	if len(epochs) != 2 || epochs[0].Epoch != "new" || !epochs[0].Present || epochs[1].Conflicts != 1 {
		t.Errorf("epochs %+v, want the new one and a former one with the record that came too late", epochs)
	}
}

func missing(t *testing.T, s store.Store) [][2]uint64 {
	t.Helper()
	epochs, err := s.Epochs(t.Context(), device)
	must(t, err)
	list := [][2]uint64{}
	for _, m := range epochs[0].Gaps {
		list = append(list, [2]uint64{m.First, m.Last})
	}
	return list
}

// What the device has no more is named, once, and the sequence goes on.
func gap(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 2)...))
	behind := batch("e", 8, records(8, 9)...)
	behind.Oldest = 6
	for range 2 {
		if got := ingest(t, s, behind); got.Err != nil || got.NextSeq != 6 {
			t.Fatalf("behind a gap: %+v, want to be asked for 6", got)
		}
	}
	rest := batch("e", 6, records(6, 9)...)
	rest.Oldest = 6
	if got := ingest(t, s, rest); got.Err != nil || got.NextSeq != 10 || got.Last != rest.Records[3].Digest {
		t.Fatalf("got %+v, want next 10", got)
	}
	if diff := cmp.Diff([][2]uint64{{3, 5}}, missing(t, s)); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	counts, err := s.Counts(t.Context())
	must(t, err)
	if counts.Missing != 3 {
		t.Errorf("%d are missing, want 3", counts.Missing)
	}
}

// A record that was believed to be gone closes its part of the gap.
func gapIsFilled(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ask := batch("e", 0)
	ask.Oldest = 10
	if got := ingest(t, s, ask); got.Err != nil || got.NextSeq != 10 || got.Last != "" {
		t.Fatalf("got %+v, want next 10 and no last record", got)
	}
	for _, step := range []struct {
		seq  uint64
		want [][2]uint64
	}{
		{5, [][2]uint64{{1, 4}, {6, 9}}},
		{1, [][2]uint64{{2, 4}, {6, 9}}},
		{9, [][2]uint64{{2, 4}, {6, 8}}},
		{5, [][2]uint64{{2, 4}, {6, 8}}},
	} {
		if got := ingest(t, s, batch("e", step.seq, records(step.seq, step.seq)...)); got.Err != nil || got.NextSeq != 10 {
			t.Fatalf("record %d: %+v", step.seq, got)
		}
		if diff := cmp.Diff(step.want, missing(t, s)); diff != "" {
			t.Errorf("after record %d (-want +got):\n%s", step.seq, diff)
		}
	}
	if got := runIDs(t, s, store.RunFilter{}); len(got) != 3 {
		t.Errorf("runs %v, want 3", got)
	}
}

// A device that lost a record which is here is no twin.
func lostOnDevice(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 3)...))
	notice := record(2, "", wire.Succeeded, "")
	notice.Run, notice.Kind, notice.Subject, notice.Digest = nil, wire.KindAlert, wire.AlertRecordLost, "other"
	if got := ingest(t, s, batch("e", 2, notice)); got.Err != nil || got.NextSeq != 4 {
		t.Fatalf("got %+v, want nothing to change", got)
	}
	if _, err := s.Run(t.Context(), device, "run_2"); err != nil {
		t.Error(err)
	}
}

// What waited in an epoch that was given up comes in the next one, and is taken
// once whether or not it had arrived.
func formerPlace(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("old", 1, records(1, 2)...))
	moved := func(seq uint64, run, text string, former uint64) store.Record {
		r := record(seq, run, wire.Succeeded, text)
		var whole wire.Record
		must(t, json.Unmarshal(r.Raw, &whole))
		r.Former = []wire.Place{{Epoch: "older", Seq: former}, {Epoch: "old", Seq: former}}
		whole.Epoch, whole.Former = "new", r.Former
		r.Raw = mustJSON(whole)
		r.Digest = wire.Digest(r.Raw)
		return r
	}
	got := ingest(t, s, batch("new", 1, moved(1, "run_2", "", 2), moved(2, "run_2b", "", 2), moved(3, "run_3", "", 3)))
	if got.Err != nil || got.NextSeq != 4 {
		t.Fatalf("got %+v, want next 4", got)
	}
	if diff := cmp.Diff([]string{"run_1", "run_2", "run_2b", "run_3"}, runIDs(t, s, store.RunFilter{})); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	row, err := s.Run(t.Context(), device, "run_2")
	must(t, err)
	if row.Epoch != "old" {
		t.Errorf("run_2 was taken again, in epoch %s", row.Epoch)
	}
}

// Enrolled again: the halt ends, the other machine is out, a new epoch begins.
func enrolledAgain(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 3)...))
	wantCode(t, ingest(t, s, batch("e", 2, record(2, "run_2", wire.Failed, "other"))).Err, "device_halted")
	err := s.AddTokens(t.Context(), []store.Token{{Hash: "token-for-nobody", Expires: day.Add(time.Hour), Device: "dev_none"}})
	wantCode(t, err, "device_unknown")
	must(t, s.AddTokens(t.Context(), []store.Token{{Hash: "token-again-00", Expires: day.Add(time.Hour), Device: device}}))
	claimed, err := s.Claim(t.Context(), "token-again-00", store.Device{ID: "dev_fresh", State: store.DeviceApproved, Key: "key-2", Enrolled: day})
	must(t, err)
	if claimed.ID != device || claimed.State != store.DeviceApproved || claimed.HaltReason != "" || claimed.Epoch != "e" {
		t.Fatalf("claimed %+v, want %s without its halt", claimed, device)
	}
	must(t, s.Certify(t.Context(), device, store.Certificate{Fingerprint: "print2", Expires: day.Add(time.Hour)}))
	wantCode(t, ingest(t, s, batch("e", 4, records(4, 4)...)).Err, "device_unknown")
	fresh := batch("e2", 1, record(1, "run_new", wire.Succeeded, ""))
	fresh.Fingerprint = "print2"
	if got := ingest(t, s, fresh); got.Err != nil || got.NextSeq != 2 {
		t.Fatalf("the new epoch: %+v", got)
	}
}

func submitted(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	early := batch("e", 1, records(1, 2)...)
	early.Received = day.Add(-time.Hour)
	ingest(t, s, early)
	ingest(t, s, batch("e", 3, records(3, 6)...))
	list := func(since time.Time, after string) []string {
		ids := []string{}
		for row, err := range s.Submitted(t.Context(), device, since, after) {
			must(t, err)
			if len(row.Record) == 0 {
				t.Errorf("%s comes without its record", row.Run)
			}
			ids = append(ids, row.Run)
		}
		return ids
	}
	if diff := cmp.Diff([]string{"run_3", "run_4", "run_5", "run_6"}, list(day, "")); diff != "" {
		t.Errorf("since (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"run_5", "run_6"}, list(time.Time{}, "run_4")); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

func copied(t *testing.T, s store.Store) {
	Enrol(t, s, device, print1)
	ingest(t, s, batch("e", 1, records(1, 2)...))
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, s.Copy(t.Context(), path, store.Actor{Person: "li"}))
	if err := s.Copy(t.Context(), path, store.Actor{}); err == nil {
		t.Error("a copy was written over another one")
	}
	lives, err := s.Incarnations(t.Context())
	must(t, err)
	if len(lives) != 1 || lives[0].Incarnation != s.Incarnation() {
		t.Errorf("incarnations %+v, want the present one", lives)
	}
}

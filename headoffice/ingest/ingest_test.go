package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func TestDecodePlacesABatch(t *testing.T) {
	t.Parallel()
	whole := `{"v":1,"device":"dev_a","epoch":"e","seq":7,"kind":"run","subject":"run_1","created":"2026-11-23T09:00:00Z","body":{"run":"run_1","state":"failed","started":"2026-11-23T09:00:00Z"}}`
	for _, c := range []struct {
		name    string
		first   uint64
		records []string
		want    uint64
		flags   []string
	}{
		{"whole", 0, []string{whole}, 7, []string{""}},
		{"told by a later record", 0, []string{`null`, `3`, whole}, 5, []string{"undecodable", "undecodable", ""}},
		{"told by the device", 9, []string{`{}`}, 9, []string{"undecodable"}},
		{"a place that cannot be", 1<<64 - 1, []string{whole}, 7, []string{""}},
		{"nothing tells", 0, []string{`{}`, `[]`}, 0, []string{"undecodable", "undecodable"}},
		{"seq before the first", 0, []string{`{}`, `{"device":"dev_a","epoch":"e","seq":1,"kind":"k"}`}, 0, []string{"undecodable", ""}},
		{"another device", 0, []string{`{"device":"dev_b","epoch":"e","seq":1,"kind":"k"}`}, 0, []string{"foreign"}},
		{"another epoch", 0, []string{`{"device":"dev_a","epoch":"f","seq":1,"kind":"k"}`}, 0, []string{"foreign"}},
		{"newer", 0, []string{`{"v":9,"device":"dev_a","epoch":"e","seq":1,"kind":"k"}`}, 1, []string{"newer_version"}},
		{"run without a run", 0, []string{`{"device":"dev_a","epoch":"e","seq":1,"kind":"run","body":"x"}`}, 1, []string{"body"}},
		{"run of the year 1", 0, []string{`{"device":"dev_a","epoch":"e","seq":1,"kind":"run","body":{"run":"r","state":"s"}}`}, 1, []string{"body"}},
		{"an alert", 0, []string{`{"device":"dev_a","epoch":"e","seq":1,"kind":"alert","body":"x"}`}, 1, []string{""}},
	} {
		request := wire.IngestRequest{Device: "dev_a", Epoch: "e", FirstSeq: c.first}
		for _, text := range c.records {
			request.Records = append(request.Records, json.RawMessage(text))
		}
		batch := decode(request, "f", now)
		if batch.First != c.want {
			t.Errorf("%s: first %d, want %d", c.name, batch.First, c.want)
		}
		for i, record := range batch.Records {
			if record.Flag != c.flags[i] || record.Digest != wire.Digest(request.Records[i]) {
				t.Errorf("%s: record %d has flag %q, want %q", c.name, i, record.Flag, c.flags[i])
			}
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, seed := range []string{
		`null`, `{}`, `[]`, `"x"`, `{"device":"dev_a","epoch":"e","seq":18446744073709551615,"kind":"run"}`,
		`{"v":1,"device":"dev_a","epoch":"e","seq":7,"kind":"run","body":{"run":"run_1","state":"failed","started":"2026-11-23T09:00:00Z","finished":"0001-01-01T00:00:00Z"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		record := decodeRecord(wire.IngestRequest{Device: "dev_a", Epoch: "e"}, raw)
		if record.Flag == store.FlagUndecodable && (record.Seq != 0 || record.Run != nil) {
			t.Errorf("%q: unreadable and yet %+v", raw, record)
		}
		if record.Seq >= 1<<62 {
			t.Errorf("%q: seq %d does not fit the store", raw, record.Seq)
		}
	})
}

// slow is a store whose disk is busy until it is let go.
type slow struct {
	store.Store
	begun, let chan struct{}
	err        error
	mu         sync.Mutex
	groups     []int
}

func (s *slow) Ingest(_ context.Context, batches []store.Batch) ([]store.Result, error) {
	s.mu.Lock()
	s.groups = append(s.groups, len(batches))
	s.mu.Unlock()
	s.begun <- struct{}{}
	<-s.let
	results := make([]store.Result, len(batches))
	for i, batch := range batches {
		results[i] = store.Result{NextSeq: batch.First + 1, Stored: 1}
	}
	return results, s.err
}

// While one group waits for the disk the next gathers, and is committed at once.
func TestRequestsAreCommittedTogether(t *testing.T) {
	t.Parallel()
	const waiting = 5
	disk := &slow{begun: make(chan struct{}, waiting+1), let: make(chan struct{}, waiting+1)}
	writer := NewWriter(disk, func() {})
	var wait sync.WaitGroup
	send := func(first uint64) {
		result, err := writer.Commit(context.Background(), store.Batch{First: first, Records: make([]store.Record, 1)})
		if err != nil || result.NextSeq != first+1 {
			t.Errorf("batch %d: %+v, %v", first, result, err)
		}
	}
	wait.Go(func() { send(0) })
	<-disk.begun
	for i := range waiting {
		wait.Go(func() { send(uint64(i + 1)) })
	}
	for len(writer.pending) < waiting { // the condition itself; each pass lets the senders run
		select {
		case <-t.Context().Done():
			t.Fatal("the senders do not come")
		case <-time.After(time.Millisecond):
		}
	}
	disk.let <- struct{}{}
	<-disk.begun
	disk.let <- struct{}{}
	wait.Wait()
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if len(disk.groups) != 2 || disk.groups[1] != waiting {
		t.Errorf("groups %v, want 1 and %d", disk.groups, waiting)
	}
	if _, err := writer.Commit(t.Context(), store.Batch{}); !fault.HasCode(err, "head_office_closing") {
		t.Errorf("after closing: %v", err)
	}
}

func TestFailingStoreIsNotAnAcknowledgement(t *testing.T) {
	t.Parallel()
	disk := &slow{begun: make(chan struct{}, 1), let: make(chan struct{}, 1), err: errors.New("disk full")}
	told := false
	writer := NewWriter(disk, func() { told = true })
	disk.let <- struct{}{}
	_, err := writer.Commit(t.Context(), store.Batch{})
	if !fault.HasCode(err, "store_unavailable") || !fault.Of(err).Retryable {
		t.Errorf("got %v, want store_unavailable that may be tried again", err)
	}
	if err := writer.Close(); err != nil || told {
		t.Errorf("close: %v; news %v, want none", err, told)
	}
}

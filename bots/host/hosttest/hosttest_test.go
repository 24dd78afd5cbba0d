package hosttest_test

import (
	"errors"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

func TestHostDiesAtTheRecordAsked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		before bool
		kept   int
	}{{"after it is on disk", false, 2}, {"before it is on disk", true, 1}} {
		h := &hosttest.Host{Run: "run_x", CutAfter: 2, CutBefore: tc.before}
		record := wire.JournalRecord{Kind: wire.RecordResult}
		if written, err := h.Append(t.Context(), record); err != nil || written.N != 1 || written.Hash == "" || written.At.IsZero() {
			t.Fatalf("%s: got %+v %v", tc.name, written, err)
		}
		for range 2 {
			if _, err := h.Append(t.Context(), record); !errors.Is(err, hosttest.ErrCut) {
				t.Fatalf("%s: got %v", tc.name, err)
			}
		}
		next := h.Resume()
		written, err := next.Append(t.Context(), record)
		if journal := next.Journal(); err != nil || len(journal) != tc.kept+1 || written.Prev != journal[tc.kept-1].Hash {
			t.Errorf("%s: %d records, %+v %v", tc.name, len(journal), written, err)
		}
	}
}

func TestTakenKeyWritesNothing(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Taken: map[string]error{"k": fault.New(fault.Business, "already_submitted", "taken")}}
	_, err := h.Append(t.Context(), wire.JournalRecord{Kind: wire.RecordIntent, Data: []byte(`{"key":"k"}`)})
	if !fault.HasCode(err, "already_submitted") || len(h.Journal()) != 0 {
		t.Errorf("got %v and %d records", err, len(h.Journal()))
	}
}

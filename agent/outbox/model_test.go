package outbox_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// headOffice is the other side in a few lines: it keeps what it is sent in
// order, answers, is restored from copies, and its answers travel badly.
type headOffice struct {
	incarnation int
	records     map[uint64]string
	copied      map[uint64]string
	answers     []wire.IngestReply // on their way
}

func (h *headOffice) next() uint64 { return uint64(len(h.records)) + 1 }

func (h *headOffice) ingest(first uint64, lines []json.RawMessage) error {
	for i, line := range lines {
		seq := first + uint64(i)
		if have, known := h.records[seq]; known && have != string(line) {
			return fmt.Errorf("record %d came changed: %s, was %s", seq, line, have)
		}
		if seq > h.next() {
			return fmt.Errorf("a gap: record %d came, %d was next", seq, h.next())
		}
		h.records[seq] = string(line)
	}
	h.answers = append(h.answers, wire.IngestReply{Incarnation: fmt.Sprint("inc-", h.incarnation), NextSeq: h.next()})
	return nil
}

func clone(records map[uint64]string) map[uint64]string {
	copied := map[uint64]string{}
	for seq, line := range records {
		copied[seq] = line
	}
	return copied
}

// TestNothingIsLostOnABadLine sends over a line that loses, repeats and reorders
// answers, to a head office that is restored from older copies. In the end it
// has every record once.
func TestNothingIsLostOnABadLine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 4))
			s, _ := openStore(t)
			h := &headOffice{records: map[uint64]string{}, copied: map[uint64]string{}}
			made := uint64(0)
			for range 250 {
				switch r.IntN(8) {
				case 0, 1:
					n := 1 + r.IntN(4)
					add(t, s, n)
					made += uint64(n)
				case 2, 3, 4:
					send(t, s, h, 1+r.IntN(5))
				case 5, 6:
					hear(t, r, s, h)
				case 7:
					if r.IntN(2) == 0 {
						h.copied = clone(h.records)
					} else if r.IntN(3) == 0 {
						h.records = clone(h.copied)
						h.incarnation++
					}
				}
			}
			for settled := 0; settled < 3; settled++ { // the line is good again
				h.answers = nil
				send(t, s, h, 1<<20)
				hear(t, r, s, h)
			}
			if first, _ := waiting(t, s); first != made+1 || h.next() != made+1 {
				t.Errorf("made %d, head office has %d, first waiting %d", made, len(h.records), first)
			}
		})
	}
}

func send(t *testing.T, s *store.Store, h *headOffice, limit int) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		lines, first, err := outbox.Next(tx, limit, 1<<30)
		if err != nil {
			return err
		}
		if first > h.next() { // restored: it answers what it wants instead
			return h.ingest(h.next(), nil)
		}
		return h.ingest(first, lines)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hear delivers one answer of those under way; it may come again later.
func hear(t *testing.T, r *rand.Rand, s *store.Store, h *headOffice) {
	t.Helper()
	if len(h.answers) == 0 {
		return
	}
	i := r.IntN(len(h.answers))
	if err := acknowledge(t, s, h.answers[i].Incarnation, h.answers[i].NextSeq); err != nil {
		t.Fatal(err)
	}
	if r.IntN(2) == 0 {
		h.answers = append(h.answers[:i], h.answers[i+1:]...)
	}
}

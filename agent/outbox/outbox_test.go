package outbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func openStore(t *testing.T) (*store.Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, c
}

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, s *store.Store, n int) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error {
		for range n {
			if _, err := outbox.Add(tx, wire.Record{Device: "dev_1", Kind: wire.KindRun, Subject: "run_x", Body: json.RawMessage(`{"a": 1}`)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func acknowledge(t *testing.T, s *store.Store, incarnation string, next uint64) error {
	t.Helper()
	return s.Update(t.Context(), func(tx *store.Tx) error {
		return outbox.Acknowledge(tx, wire.IngestReply{Incarnation: incarnation, Epoch: tx.Epoch(), NextSeq: next})
	})
}

// waiting gives the seqs in line and checks that Next and Read agree.
func waiting(t *testing.T, s *store.Store) (first, last uint64) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		lines, from, err := outbox.Next(tx, 1<<30, 1<<40)
		if err != nil {
			return err
		}
		status, err := outbox.Read(tx)
		if err != nil {
			return err
		}
		if status.Waiting != len(lines) || (status.Oldest == nil) != (len(lines) == 0) {
			return fmt.Errorf("%d records, but status %+v", len(lines), status)
		}
		for i, line := range lines {
			var r wire.Record
			if err := json.Unmarshal(line, &r); err != nil {
				return err
			}
			if r.Seq != from+uint64(i) || r.Epoch != s.Epoch() || r.V != outbox.RecordVersion || r.Created.IsZero() {
				return fmt.Errorf("record %d from %d: %+v", i, from, r)
			}
		}
		first, last = from, from+uint64(len(lines))-1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return first, last
}

func TestAddIsGaplessWithManyWriters(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	errNo := errors.New("taken back")
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 20 {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					if _, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: fmt.Sprint(i, j)}); err != nil {
						return err
					}
					if j%4 == 0 {
						return errNo
					}
					return nil
				})
				if err != nil && !errors.Is(err, errNo) {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if first, last := waiting(t, s); first != 1 || last != 8*15 {
		t.Errorf("waiting %d…%d, want 1…%d", first, last, 8*15)
	}
}

func TestNextIsBounded(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, 10)
	var size int
	tests := []struct {
		name         string
		limit, bytes int
		want         int
	}{
		{"by count", 3, 1 << 20, 3},
		{"all", 100, 1 << 20, 10},
		{"one even if too large", 100, 1, 1},
		{"none asked for", 0, 1 << 20, 0},
	}
	for _, test := range tests {
		err := s.View(func(tx *store.Tx) error {
			lines, first, err := outbox.Next(tx, test.limit, test.bytes)
			if len(lines) != test.want || first != 1 {
				t.Errorf("%s: %d records from %d, want %d from 1", test.name, len(lines), first, test.want)
			}
			if len(lines) > 0 {
				size = len(lines[0])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.View(func(tx *store.Tx) error {
		lines, _, err := outbox.Next(tx, 100, 4*size)
		if len(lines) != 4 {
			t.Errorf("by bytes: %d records, want 4", len(lines))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	type answer struct {
		incarnation string
		next        uint64
		code        string
	}
	tests := []struct {
		name    string
		answers []answer
		first   uint64 // of what waits afterwards, of 1…10
	}{
		{"nothing yet", []answer{{"one", 1, ""}}, 1},
		{"some", []answer{{"one", 5, ""}}, 5},
		{"all", []answer{{"one", 11, ""}}, 11},
		{"twice", []answer{{"one", 5, ""}, {"one", 5, ""}}, 5},
		{"out of order", []answer{{"one", 8, ""}, {"one", 5, ""}}, 8},
		{"more than there is", []answer{{"one", 12, "outbox_ahead"}}, 1},
		{"more than there is, by another", []answer{{"one", 5, ""}, {"two", 12, "outbox_ahead"}}, 5},
		{"zero", []answer{{"one", 5, ""}, {"one", 0, ""}}, 5},
		{"restored from an older copy", []answer{{"one", 8, ""}, {"two", 3, ""}}, 3},
		{"restored to nothing", []answer{{"one", 8, ""}, {"two", 0, ""}}, 1},
		{"a late answer of the former one", []answer{{"one", 8, ""}, {"two", 3, ""}, {"one", 9, ""}, {"two", 3, ""}}, 3},
		{"goes on after it was restored", []answer{{"one", 8, ""}, {"two", 3, ""}, {"two", 9, ""}}, 9},
		{"another that has more", []answer{{"one", 3, ""}, {"two", 8, ""}}, 8},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := openStore(t)
			add(t, s, 10)
			for _, a := range test.answers {
				if err := acknowledge(t, s, a.incarnation, a.next); fault.Code(err) != a.code {
					t.Errorf("%+v gave %v", a, err)
				}
			}
			if first, last := waiting(t, s); first != test.first || last != 10 {
				t.Errorf("waiting %d…%d, want %d…10", first, last, test.first)
			}
			add(t, s, 1)
			if _, last := waiting(t, s); last != 11 {
				t.Errorf("the next record got seq %d", last)
			}
		})
	}
}

func kept(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		status, err := outbox.Read(tx)
		n = status.Kept
		rows := 0
		err = errors.Join(err, tx.Range(store.Outbox, store.Scan{}, func(_, _ []byte) error { rows++; return nil }))
		if rows != status.Kept+status.Waiting {
			t.Errorf("%d rows, but status %+v", rows, status)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSentRecordsAreKeptForSevenDays(t *testing.T) {
	t.Parallel()
	s, c := openStore(t)
	forget := func() { update(t, s, outbox.Forget) }
	add(t, s, 10)
	if err := acknowledge(t, s, "one", 5); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(3 * 24 * time.Hour)
	if err := acknowledge(t, s, "one", 9); err != nil {
		t.Fatal(err)
	}
	forget()
	if n := kept(t, s); n != 8 {
		t.Errorf("after three days %d are kept, want 8", n)
	}
	c.at = c.at.Add(4 * 24 * time.Hour)
	forget()
	if n := kept(t, s); n != 4 {
		t.Errorf("after seven days %d are kept, want 4", n)
	}
	if err := acknowledge(t, s, "restored", 2); err != nil {
		t.Fatal(err)
	}
	if first, last := waiting(t, s); first != 5 || last != 10 {
		t.Errorf("after a restore %d…%d wait, want 5…10: what is kept", first, last)
	}
	c.at = c.at.Add(30 * 24 * time.Hour)
	forget()
	if first, last := waiting(t, s); first != 5 || last != 10 {
		t.Errorf("a month later %d…%d wait, want 5…10", first, last)
	}
	c.at = c.at.Add(-60 * 24 * time.Hour) // the clock is set back
	if err := acknowledge(t, s, "restored", 11); err != nil {
		t.Fatal(err)
	}
	if n := kept(t, s); n != 6 {
		t.Errorf("with the clock set back %d are kept, want 6", n)
	}
}

func TestKeptRecordsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, outbox.KeepRecords+3000)
	for next := uint64(1000); next <= outbox.KeepRecords+3000; next += 1000 {
		if err := acknowledge(t, s, "one", next); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(t, s); n != outbox.KeepRecords {
		t.Errorf("%d are kept, want %d", n, outbox.KeepRecords)
	}
}

func TestDamagedRecordIsMended(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, 5)
	update(t, s, func(tx *store.Tx) error { // a lost row stands for a damaged one
		return errors.Join(tx.Delete(store.Outbox, store.NumberKey(1)), tx.Delete(store.Outbox, store.NumberKey(4)))
	})
	err := s.View(func(tx *store.Tx) error {
		_, _, err := outbox.Next(tx, 10, 1<<20)
		return err
	})
	if !fault.HasCode(err, "outbox_damaged") {
		t.Fatalf("next gave %v", err)
	}
	update(t, s, func(tx *store.Tx) error {
		n, err := outbox.Mend(tx, "dev_1", wire.By{Person: "branchbot", Kind: wire.BySystem})
		if n != 2 {
			t.Errorf("mended %d, want 2", n)
		}
		return err
	})
	if first, last := waiting(t, s); first != 1 || last != 5 {
		t.Errorf("waiting %d…%d, want 1…5", first, last)
	}
	err = s.View(func(tx *store.Tx) error {
		lines, _, err := outbox.Next(tx, 1, 1<<20)
		var r wire.Record
		if err := json.Unmarshal(lines[0], &r); err != nil || r.Kind != wire.KindAlert || r.Subject != "record_lost" || r.Seq != 1 {
			t.Errorf("in its place stands %s", lines[0])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Records made before enrolment get the device's name; a damaged one does not
// stop enrolment.
func TestAdopt(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, 4)
	update(t, s, func(tx *store.Tx) error { return tx.Delete(store.Outbox, store.NumberKey(3)) })
	update(t, s, func(tx *store.Tx) error { return outbox.Adopt(tx, "dev_2") })
	for seq, want := range map[uint64]string{1: "dev_2", 2: "dev_2", 4: "dev_2"} {
		err := s.View(func(tx *store.Tx) error {
			r, err := store.GetJSON[wire.Record](tx, store.Outbox, store.NumberKey(seq))
			if r.Device != want || r.Seq != seq {
				t.Errorf("record %d is of %q, want %q", r.Seq, r.Device, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Even when every record was forgotten, a damaged counter row does not make the
// sequence begin again.
func TestNumbersAreNeverGivenTwice(t *testing.T) {
	t.Parallel()
	s, c := openStore(t)
	add(t, s, 10)
	if err := acknowledge(t, s, "one", 11); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(8 * 24 * time.Hour)
	update(t, s, outbox.Forget)
	if n := kept(t, s); n != 0 {
		t.Fatalf("%d are kept", n)
	}
	notes := 0
	err := s.View(func(tx *store.Tx) error {
		return tx.Range(store.OutboxSent, store.Scan{}, func(key, _ []byte) error {
			notes++
			if n := store.ParseNumberKey(key); n != 11 {
				t.Errorf("a note about %d stays", n)
			}
			return nil
		})
	})
	if err != nil || notes != 1 {
		t.Errorf("%d notes, want the last one: %v", notes, err)
	}
}

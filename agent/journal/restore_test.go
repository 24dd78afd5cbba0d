package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

func view(run string, state wire.RunState) wire.Run {
	v := journal.Describe(nil)
	v.Run, v.Bot, v.State, v.Started = run, "account-opening", state, newClock().at
	return v
}

func put(t *testing.T, s *store.Store, v wire.Run) {
	t.Helper()
	if err := update(t, s, func(tx *store.Tx) error { return journal.PutRun(tx, v) }); err != nil {
		t.Fatal(err)
	}
}

// empty removes every row of the buckets.
func empty(t *testing.T, s *store.Store, buckets ...store.Bucket) {
	t.Helper()
	for _, bucket := range buckets {
		err := update(t, s, func(tx *store.Tx) error {
			var keys [][]byte
			err := tx.Range(bucket, store.Scan{}, func(key, _ []byte) error { keys = append(keys, key); return nil })
			for _, key := range keys {
				err = errors.Join(err, tx.Delete(bucket, key))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func lose(t *testing.T, s *store.Store, run string, n uint64) {
	t.Helper()
	key := append(append([]byte(run), 0), store.NumberKey(n)...)
	if err := update(t, s, func(tx *store.Tx) error { return tx.Delete(store.Journal, key) }); err != nil {
		t.Fatal(err)
	}
}

func restored(t *testing.T, s *store.Store) {
	t.Helper()
	if err := update(t, s, journal.Restore); err != nil {
		t.Fatal(err)
	}
}

func claimOf(t *testing.T, s *store.Store, key string) (run, state string) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		claim, taken, err := journal.FindClaim(tx, "account-opening", key)
		if taken {
			run, state = claim.Run, claim.State
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return run, state
}

func TestRestore(t *testing.T) {
	t.Parallel()
	derived := []store.Bucket{store.JournalHeads, store.Keys, store.Runs, store.RunsByStart, store.RunsOpen}
	sentOff := []wire.JournalRecord{start("run_a"), intent("run_a", "k"), plain("run_a", wire.RecordPrepared)}
	done := append(slices.Clone(sentOff), outcome("run_a", wire.SubmitAcknowledged))
	over := view("run_a", wire.Succeeded)
	over.Submits = []wire.SubmitView{{Key: "k", State: wire.SubmitAcknowledged, Receipt: map[string]string{"no": "1"}}}
	for _, test := range []struct {
		name    string
		records []wire.JournalRecord
		view    wire.Run
		lost    []store.Bucket
		gone    uint64 // a record
		state   wire.RunState
		claim   string // state of the key "k", or - for free, "" for open
		signal  bool
		end     string // code of END afterwards
	}{
		{"all but the journal is lost, possibly sent", sentOff, view("run_a", wire.Running), derived, 0, wire.Running, "", true, "submit_open"},
		{"all but the journal is lost, sent", done, view("run_a", wire.Running), derived, 0, wire.Running, wire.SubmitAcknowledged, true, ""},
		{"all but the journal is lost, over", append(slices.Clone(done), end("run_a")), view("run_a", wire.Running), derived, 0, wire.Failed, wire.SubmitAcknowledged, false, "journal_order"},
		{"nothing is lost, queued", sentOff[:1], view("run_a", wire.Queued), nil, 0, wire.Queued, "-", true, ""},
		{"nothing is lost, in doubt", sentOff, view("run_a", wire.InDoubt), nil, 0, wire.InDoubt, "", true, "submit_open"},
		{"nothing is lost, waiting", sentOff[:1], view("run_a", wire.WaitingOn), nil, 0, wire.WaitingOn, "-", true, ""},
		{"the journal is an older one than the view", sentOff, over, nil, 0, wire.Succeeded, wire.SubmitAcknowledged, false, "journal_order"},
		{"a record in between is lost", done, view("run_a", wire.Running), nil, 2, wire.InDoubt, wire.SubmitAcknowledged, true, ""},
		{"an intent, and nobody knows what came then", append(slices.Clone(sentOff), plain("run_a", wire.RecordResult)), view("run_a", wire.Running), nil, 3, wire.InDoubt, "", true, "submit_open"},
		{"the last record is lost", sentOff, view("run_a", wire.Running), nil, 3, wire.InDoubt, "", true, "submit_open"},
		{"the first record is lost", sentOff, view("run_a", wire.Running), nil, 1, wire.InDoubt, "", true, "submit_open"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, newClock())
			if err := write(t, s, test.records...); err != nil {
				t.Fatal(err)
			}
			put(t, s, test.view)
			empty(t, s, test.lost...)
			if test.gone > 0 {
				lose(t, s, "run_a", test.gone)
			}
			restored(t, s)
			checkRestored(t, s, test.state, test.claim)
			signalled := false
			_ = s.View(func(tx *store.Tx) error {
				return tx.Range(store.Journal, store.Scan{}, func(_, line []byte) error {
					signalled = signalled || contains(line, journal.SignalRestored)
					return nil
				})
			})
			if signalled != test.signal {
				t.Errorf("SIGNAL restored: %t, want %t", signalled, test.signal)
			}
			if err := write(t, s, end("run_a")); fault.Code(err) != test.end {
				t.Errorf("END afterwards: %v, want code %q", err, test.end)
			}
		})
	}
}

func contains(line []byte, word string) bool { return slices.Contains(words(line), word) }

func words(line []byte) []string {
	var list []string
	word := []byte{}
	for _, c := range line {
		if c >= 'a' && c <= 'z' {
			word = append(word, c)
			continue
		}
		list, word = append(list, string(word)), nil
	}
	return list
}

func checkRestored(t *testing.T, s *store.Store, state wire.RunState, claim string) {
	t.Helper()
	var listed, open []wire.Run
	err := s.View(func(tx *store.Tx) (err error) {
		listed, err = journal.ListRuns(tx, journal.Filter{})
		if err == nil {
			open, err = journal.Unfinished(tx)
		}
		return err
	})
	if err != nil || len(listed) != 1 || listed[0].State != state || (len(open) == 1) == state.Final() {
		t.Fatalf("%d runs (%+v), %d open, %v; want one that is %s", len(listed), listed, len(open), err, state)
	}
	run, now := claimOf(t, s, "k")
	if run == "" {
		now = "-"
	}
	if now != claim {
		t.Errorf("the key is %q, want %q", now, claim)
	}
}

// A run that lost a record is ended by what a person says, and the key follows.
func TestEndLost(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{wire.SubmitAcknowledged: wire.SubmitAcknowledged, wire.SubmitNotProcessed: ""} {
		s := openStore(t, newClock())
		if err := write(t, s, start("run_a"), plain("run_a", wire.RecordResult), intent("run_a", "k"), plain("run_a", wire.RecordPrepared)); err != nil {
			t.Fatal(err)
		}
		lose(t, s, "run_a", 2)
		told := wire.ReconciledData{State: said, By: "person", Receipt: map[string]string{"reference": "1"}}
		err := update(t, s, func(tx *store.Tx) error {
			return journal.EndLost(tx, "run_a", wire.By{}, told, wire.EndData{State: wire.Failed})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, state := claimOf(t, s, "k"); state != want {
			t.Errorf("said %s: the key is %q, want %q", said, state, want)
		}
		if err := write(t, s, end("run_a")); !fault.HasCode(err, "journal_order") {
			t.Errorf("END once more: %v", err)
		}
	}
}

// Whatever is made from journals is the same after it was lost and made again.
func TestRestoreGivesWhatWasThere(t *testing.T) {
	t.Parallel()
	const twoViewsOfAKey, givenUp = 2236771913300541780, 15330037262748340936 // have failed
	for _, seed := range []uint64{twoViewsOfAKey, givenUp, soak.Seed(t)} {
		restoreAndCompare(t, seed)
	}
}

func restoreAndCompare(t *testing.T, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 4))
	for range soak.Times(t, 20) {
		s := openStore(t, newClock())
		for range 40 {
			id, key := fmt.Sprintf("run_%d", random.IntN(5)), fmt.Sprintf("k%d", random.IntN(4))
			moves := []wire.JournalRecord{
				start(id), intent(id, key), intent(id, key), plain(id, wire.RecordPrepared), plain(id, wire.RecordPrepared),
				outcome(id, wire.SubmitAcknowledged), outcome(id, wire.SubmitRejected), record(id, wire.RecordUnknown, wire.UnknownData{}),
				reconciled(id, wire.SubmitNotProcessed), end(id),
			}
			if write(t, s, moves[random.IntN(len(moves))]) == nil { // what may not stand there is refused
				records, err := read(t, s, id)
				if err != nil {
					t.Fatal(err)
				}
				put(t, s, journal.Describe(records))
			}
		}
		before := claims(t, s)
		empty(t, s, store.JournalHeads, store.Keys, store.RunsOpen, store.RunsByStart)
		restored(t, s)
		if diff := cmp.Diff(before, claims(t, s)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

func claims(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for i := range 4 {
		key := fmt.Sprintf("k%d", i)
		run, state := claimOf(t, s, key)
		all[key] = run + " " + state
	}
	return all
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	told := view("run_a", wire.Succeeded)
	finished := told.Started.Add(time.Minute)
	told.Finished = &finished
	told.Submits = []wire.SubmitView{{Name: "open", Key: "k", State: wire.SubmitAcknowledged, Receipt: map[string]string{"no": "1"}, KeyWindow: "48h"}}
	doubt := view("run_a", wire.InDoubt)
	doubt.Submits = []wire.SubmitView{{Name: "open", Key: "k", State: wire.SubmitInDoubt}}
	begun := []wire.JournalRecord{start("run_a"), intent("run_a", "k"), plain("run_a", wire.RecordPrepared)}
	for _, test := range []struct {
		name    string
		records []wire.JournalRecord
		told    wire.Run
		state   wire.RunState
		claim   string // of the key: run and state
	}{
		{"nothing is known here", nil, told, wire.Succeeded, "run_a acknowledged"},
		{"nothing is known here, in doubt there", nil, doubt, wire.InDoubt, "run_a "},
		{"it has only begun here", begun[:1], told, wire.Succeeded, "run_a acknowledged"},
		{"possibly sent here", begun, told, wire.Succeeded, "run_a acknowledged"},
		{"possibly sent here, in doubt there", begun, doubt, wire.Running, "run_a "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := openStore(t, c)
			if err := write(t, s, test.records...); err != nil {
				t.Fatal(err)
			}
			if len(test.records) > 0 {
				put(t, s, view("run_a", wire.Running))
			}
			for range 2 { // twice is as once
				if err := update(t, s, func(tx *store.Tx) error { return journal.Adopt(tx, test.told) }); err != nil {
					t.Fatal(err)
				}
			}
			var now wire.Run
			if err := s.View(func(tx *store.Tx) (err error) { now, err = journal.GetRun(tx, "run_a"); return err }); err != nil || now.State != test.state {
				t.Errorf("%s %v, want %s", now.State, err, test.state)
			}
			if run, state := claimOf(t, s, "k"); run+" "+state != test.claim {
				t.Errorf("the key is %s %s, want %s", run, state, test.claim)
			}
			if err := write(t, s, start("run_b"), intent("run_b", "k")); fault.Code(err) != "already_submitted" && fault.Code(err) != "key_in_doubt" {
				t.Errorf("another run may send it: %v", err)
			}
			c.pass(49 * time.Hour)
			if err := write(t, s, intent("run_b", "k")); test.state == wire.Succeeded && err != nil {
				t.Errorf("after its window the key is still taken: %v", err)
			}
		})
	}
}

func TestLookFirst(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openStore(t, c)
	mark := func(fn func(*store.Tx) error) (since time.Time, on bool) {
		t.Helper()
		if err := update(t, s, fn); err != nil {
			t.Fatal(err)
		}
		_ = s.View(func(tx *store.Tx) error { since, on = journal.LookFirst(tx); return nil })
		return since, on
	}
	if _, on := mark(journal.EndLookFirst); on {
		t.Error("on without a reason")
	}
	mark(func(tx *store.Tx) error { return journal.BeginLookFirst(tx, c.at) })
	if since, on := mark(func(tx *store.Tx) error { return journal.BeginLookFirst(tx, c.at.Add(time.Hour)) }); !on || !since.Equal(c.at) {
		t.Errorf("on: %t since %s, want the earlier %s", on, since, c.at)
	}
	if since, on := mark(func(tx *store.Tx) error { return tx.Put(store.Settings, []byte("look_first"), []byte("{")) }); !on || !since.IsZero() {
		t.Errorf("a mark that cannot be read: on %t since %s", on, since)
	}
	if _, on := mark(journal.EndLookFirst); on {
		t.Error("still on")
	}
}

// A journal has an end: values are refused, what settles and ends a run is not.
func TestBounds(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	add := func(tx *store.Tx, r wire.JournalRecord) error { _, err := journal.Append(tx, r); return err }
	err := update(t, s, func(tx *store.Tx) error {
		err := errors.Join(add(tx, start("run_a")), add(tx, start("run_b")))
		for n := uint64(2); n <= journal.MaxRecords && err == nil; n++ {
			if n == journal.MaxRecords-50 {
				if late := add(tx, intent("run_a", "k")); !fault.HasCode(late, "journal_full") {
					return fmt.Errorf("an intent near the end: %w", late)
				}
			}
			err = add(tx, plain("run_a", wire.RecordResult))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	large := record("run_b", wire.RecordResult, map[string]string{"v": string(make([]byte, 1<<20))})
	for range journal.MaxBytes / (1 << 20) {
		if err = write(t, s, large); err != nil {
			break
		}
	}
	if !fault.HasCode(err, "journal_full") {
		t.Errorf("too many bytes: %v", err)
	}
	if err := write(t, s, plain("run_a", wire.RecordResult)); !fault.HasCode(err, "journal_full") {
		t.Errorf("too many records: %v", err)
	}
	if err := write(t, s, plain("run_a", wire.RecordSignal), end("run_a"), end("run_b")); err != nil {
		t.Errorf("a full journal cannot be ended: %v", err)
	}
}

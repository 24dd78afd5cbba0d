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
	"branchbot/internal/wire"
)

func ids(runs []wire.Run) []string {
	names := []string{}
	for _, run := range runs {
		names = append(names, run.Run)
	}
	return names
}

// TestRunsFollowTheModel changes runs at random and compares every list with a
// plain slice.
func TestRunsFollowTheModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	c := newClock()
	s := openStore(t, c)
	states := []wire.RunState{wire.Queued, wire.Running, wire.WaitingOn, wire.InDoubt, wire.Succeeded, wire.Failed, wire.Cancelled, wire.Missed}
	model := map[string]wire.Run{}
	for range 150 {
		id := fmt.Sprintf("run_%02d", r.IntN(25))
		run := model[id]
		if run.Run == "" || r.IntN(10) == 0 {
			run = wire.Run{Run: id, Bot: []string{"a", "b"}[r.IntN(2)], Started: c.at.Add(time.Duration(r.IntN(1e6)) * time.Second)}
		}
		run.State = states[r.IntN(len(states))]
		model[id] = run
		if err := update(t, s, func(tx *store.Tx) error { return journal.PutRun(tx, run) }); err != nil {
			t.Fatal(err)
		}
		filter := journal.Filter{Limit: r.IntN(12)}
		if r.IntN(2) == 0 {
			filter.Bot = "b"
		}
		if r.IntN(2) == 0 {
			filter.States = []wire.RunState{wire.Failed, wire.InDoubt}
		}
		checkRuns(t, s, model, filter)
	}
}

func checkRuns(t *testing.T, s *store.Store, model map[string]wire.Run, filter journal.Filter) {
	t.Helper()
	var listed, open []string
	for _, run := range model {
		if (filter.Bot == "" || run.Bot == filter.Bot) && (filter.States == nil || slices.Contains(filter.States, run.State)) {
			listed = append(listed, run.Run)
		}
		if !run.State.Final() {
			open = append(open, run.Run)
		}
	}
	older := func(a, b string) int { return model[a].Started.Compare(model[b].Started) }
	slices.SortFunc(open, older)
	slices.SortFunc(listed, func(a, b string) int { return older(b, a) })
	if filter.Limit > 0 {
		listed = listed[:min(len(listed), filter.Limit)]
	}
	err := s.View(func(tx *store.Tx) error {
		got, err := journal.ListRuns(tx, filter)
		if err != nil {
			return err
		}
		unfinished, err := journal.Unfinished(tx)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(append([]string{}, listed...), ids(got)); diff != "" {
			t.Fatalf("%+v:\n%s", filter, diff)
		}
		if diff := cmp.Diff(append([]string{}, open...), ids(unfinished)); diff != "" {
			t.Fatalf("unfinished:\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnknownRun(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	err := s.View(func(tx *store.Tx) error {
		_, err := journal.GetRun(tx, "run_no")
		return err
	})
	if !fault.HasCode(err, "run_unknown") || fault.ExitCode(err) != 2 {
		t.Errorf("got %v", err)
	}
}

// A run whose view is lost is told again from its journal; one whose journal is
// lost too stays in the lists, in doubt.
func TestUnreadableRunsStayInTheLists(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openStore(t, c)
	for _, id := range []string{"run_a", "run_b", "run_c"} {
		c.pass(time.Minute)
		if err := write(t, s, start(id), plain(id, wire.RecordResult)); err != nil {
			t.Fatal(err)
		}
		run := wire.Run{Run: id, Bot: "account-opening", State: wire.Running, Started: c.at}
		if err := update(t, s, func(tx *store.Tx) error { return journal.PutRun(tx, run) }); err != nil {
			t.Fatal(err)
		}
	}
	err := update(t, s, func(tx *store.Tx) error { // as if the rows could not be opened
		lost := append([]byte("run_b\x00"), store.NumberKey(1)...)
		return errors.Join(tx.Delete(store.Runs, []byte("run_b")), tx.Delete(store.Journal, lost))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(tx *store.Tx) error {
		listed, err := journal.ListRuns(tx, journal.Filter{})
		if got := fmt.Sprint(ids(listed)); got != "[run_c run_b run_a]" || listed[1].State != wire.InDoubt || listed[1].Exception == nil || listed[1].Started.IsZero() {
			t.Errorf("listed %s, %+v", got, listed[1])
		}
		open, err2 := journal.Unfinished(tx)
		if len(open) != 3 {
			t.Errorf("unfinished %q", ids(open))
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

package journal_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

func TestTakenKeyNamesRunAndReceipt(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	if err := write(t, s, start("run_a"), intent("run_a", "k"), plain("run_a", wire.RecordPrepared), start("run_b")); err != nil {
		t.Fatal(err)
	}
	err := write(t, s, intent("run_b", "k"))
	if !fault.HasCode(err, "key_in_doubt") || fault.Of(err).Facts["run"] != "run_a" || fault.ExitCode(err) != 3 {
		t.Errorf("while open: %v, facts %v", err, fault.Of(err).Facts)
	}
	if err := write(t, s, outcome("run_a", wire.SubmitAcknowledged)); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"run_b", "run_a"} {
		err = write(t, s, intent(run, "k"))
		facts := fault.Of(err).Facts
		if !fault.HasCode(err, "already_submitted") || facts["run"] != "run_a" || facts["receipt"] != `{"account_no":"A-run_a"}` {
			t.Errorf("%s after the answer: %v, facts %v", run, err, facts)
		}
	}
	other := record("run_c", wire.RecordStart, wire.StartData{Bot: "another-pack"})
	if err := write(t, s, other, intent("run_c", "k")); err != nil {
		t.Errorf("the same key in another pack: %v", err)
	}
}

// A record that the look-up finds may be another run's: its key stays its own.
func TestFoundEarlyRespectsTheKeyOfAnotherRun(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	early := func(run string) wire.JournalRecord {
		return record(run, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitAlreadyThere, Key: "k", Receipt: map[string]string{"account_no": "14"}})
	}
	if err := write(t, s, start("run_a"), intent("run_a", "k"), plain("run_a", wire.RecordPrepared), start("run_b")); err != nil {
		t.Fatal(err)
	}
	if err := write(t, s, early("run_b")); !fault.HasCode(err, "key_in_doubt") {
		t.Errorf("while run_a is open: %v, want key_in_doubt", err)
	}
	if err := write(t, s, outcome("run_a", wire.SubmitAcknowledged)); err != nil {
		t.Fatal(err)
	}
	if err := write(t, s, early("run_b")); !fault.HasCode(err, "already_submitted") {
		t.Errorf("after run_a was answered: %v, want already_submitted", err)
	}
	if err := write(t, s, early("run_a")); err != nil {
		t.Errorf("its own record: %v", err)
	}
}

// A claim that cannot be read is no free key.
func TestDamagedClaimIsInDoubt(t *testing.T) {
	t.Parallel()
	s := openStore(t, newClock())
	if err := write(t, s, start("run_a"), intent("run_a", "k"), start("run_b")); err != nil {
		t.Fatal(err)
	}
	err := update(t, s, func(tx *store.Tx) error {
		return tx.Put(store.Keys, tx.Blind("business key", "account-opening", "k"), []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, s, intent("run_b", "k")); !fault.HasCode(err, "key_in_doubt") {
		t.Errorf("got %v", err)
	}
}

// Only claims whose window is over are forgotten, and never an open one.
func TestForgetClaims(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openStore(t, c)
	if err := write(t, s, start("run_a")); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		window := map[bool]string{true: "1h", false: "100h"}[i < 4]
		claim := record("run_a", wire.RecordIntent, wire.IntentData{Key: fmt.Sprint(i), Window: window})
		if err := write(t, s, claim, outcome("run_a", wire.SubmitAcknowledged)); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(t, s, record("run_a", wire.RecordIntent, wire.IntentData{Key: "open", Window: "1h"})); err != nil {
		t.Fatal(err)
	}
	c.pass(50 * time.Hour)
	var from []byte
	for range 4 { // 11 rows in threes
		err := update(t, s, func(tx *store.Tx) (err error) {
			from, err = journal.ForgetClaims(tx, from, 3)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := 0
	err := s.View(func(tx *store.Tx) error {
		return tx.Range(store.Keys, store.Scan{}, func(_, _ []byte) error { left++; return nil })
	})
	if err != nil || left != 7 || from != nil {
		t.Errorf("%d claims are left, want 7; place %x, %v", left, from, err)
	}
}

// world is what runs and keys must be, written the plain way.
type world struct {
	runs map[string]*modelRun
	keys map[string]*modelKey
}

type modelRun struct{ started, ended, intent, sent, key string }

type modelKey struct {
	run     string
	settled bool
	until   time.Time
}

// expect says which code an action must give, and does it when it is "".
func (w *world) expect(now time.Time, r wire.JournalRecord, key, state string) string {
	run := w.runs[r.Run]
	switch {
	case run.started == "" && r.Kind != wire.RecordStart, run.ended != "", run.started != "" && r.Kind == wire.RecordStart:
		return "journal_order"
	}
	isOpen := run.intent != "" || run.sent != ""
	switch r.Kind {
	case wire.RecordStart:
		run.started = "yes"
	case wire.RecordIntent:
		return w.expectIntent(now, r.Run, run, key)
	case wire.RecordPrepared, wire.RecordUnknown:
		if !isOpen {
			return "journal_order"
		}
		run.intent, run.sent = "", "yes"
	case wire.RecordOutcome:
		return w.expectOutcome(now, run, isOpen, state)
	case wire.RecordReconciled:
		if run.sent == "" {
			return "journal_order"
		}
		if state != wire.SubmitInDoubt {
			w.settle(now, run, state == wire.SubmitAcknowledged)
		}
	case wire.RecordEnd:
		if run.sent != "" {
			return "submit_open"
		}
		run.ended = "yes"
		if isOpen {
			w.settle(now, run, false)
		}
	}
	return ""
}

func (w *world) expectIntent(now time.Time, id string, run *modelRun, key string) string {
	if run.sent != "" {
		return "submit_open"
	}
	if k := w.keys[key]; k != nil {
		if k.settled && now.Before(k.until) {
			return "already_submitted"
		}
		if !k.settled && k.run != id {
			return "key_in_doubt"
		}
	}
	if run.intent != "" {
		delete(w.keys, run.key)
	}
	w.keys[key] = &modelKey{run: id}
	run.intent, run.key = "yes", key
	return ""
}

func (w *world) expectOutcome(now time.Time, run *modelRun, isOpen bool, state string) string {
	switch state {
	case wire.SubmitInDoubt:
		if !isOpen {
			return "journal_order"
		}
		run.intent, run.sent = "", "yes"
	case wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		if !isOpen && state == wire.SubmitAcknowledged {
			return "journal_order"
		}
		if isOpen {
			w.settle(now, run, true)
		}
	default:
		if isOpen {
			w.settle(now, run, false)
		}
	}
	return ""
}

func (w *world) settle(now time.Time, run *modelRun, stays bool) {
	if stays {
		w.keys[run.key].settled, w.keys[run.key].until = true, now.Add(24*time.Hour)
	} else {
		delete(w.keys, run.key)
	}
	run.intent, run.sent, run.key = "", "", ""
}

// TestKeysFollowTheModel lets runs that want the same keys act in random order.
func TestKeysFollowTheModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2))
			c := newClock()
			s := openStore(t, c)
			w := &world{runs: map[string]*modelRun{}, keys: map[string]*modelKey{}}
			for part := range 12 {
				err := update(t, s, func(tx *store.Tx) error { return actAtRandom(tx, r, c, w, part/3) })
				if err != nil {
					t.Fatalf("part %d: %v", part, err)
				}
			}
		})
	}
}

// actAtRandom does twenty things in one transaction: what Append refuses must
// leave no trace even there.
func actAtRandom(tx *store.Tx, r *rand.Rand, c *clock, w *world, generation int) error {
	for step := range 20 {
		id := fmt.Sprintf("run_%d_%d", generation, r.IntN(4))
		if w.runs[id] == nil {
			w.runs[id] = &modelRun{}
		}
		c.pass(time.Duration(r.IntN(120)) * time.Minute)
		action, key, state := randomAction(r, id)
		want := w.expect(c.at, action, key, state)
		if _, err := journal.Append(tx, action); fault.Code(err) != want {
			return fmt.Errorf("step %d: %s %s %s %s gave %w, want %q", step, id, action.Kind, key, state, err, want)
		}
		if err := sameClaims(tx, c.at, w); err != nil {
			return fmt.Errorf("step %d: after %s of %s: %w", step, action.Kind, id, err)
		}
	}
	return nil
}

func randomAction(r *rand.Rand, run string) (action wire.JournalRecord, key, state string) {
	states := []string{
		wire.SubmitAcknowledged, wire.SubmitAlreadyThere, wire.SubmitRejected, wire.SubmitRefused,
		wire.SubmitNotProcessed, wire.SubmitInDoubt,
	}
	switch r.IntN(12) {
	case 0, 1:
		return start(run), "", ""
	case 2, 3, 4, 5:
		key = string("pqr"[r.IntN(3)])
		return record(run, wire.RecordIntent, wire.IntentData{Submit: "open", Key: key, Window: "24h"}), key, ""
	case 6, 7:
		return plain(run, wire.RecordPrepared), "", ""
	case 8:
		return record(run, wire.RecordUnknown, wire.UnknownData{Reason: "crash"}), "", ""
	case 9:
		state = states[r.IntN(len(states))]
		return outcome(run, state), "", state
	case 10:
		state = []string{wire.SubmitAcknowledged, wire.SubmitNotProcessed, wire.SubmitInDoubt}[r.IntN(3)]
		return reconciled(run, state), "", state
	default:
		return end(run), "", ""
	}
}

// sameClaims compares every key and every run with the model.
func sameClaims(tx *store.Tx, now time.Time, w *world) error {
	for _, key := range strings.Split("pqr", "") {
		claim, taken, err := journal.FindClaim(tx, "account-opening", key)
		if err != nil {
			return err
		}
		k := w.keys[key]
		wantTaken := k != nil && (!k.settled || now.Before(k.until))
		if taken != wantTaken || taken && (claim.Run != k.run || (claim.State != "") != k.settled) {
			return fmt.Errorf("key %s is %+v (taken %t), want %+v (taken %t)", key, claim, taken, k, wantTaken)
		}
	}
	for id, run := range w.runs {
		records, err := journal.Read(tx, id)
		if err != nil {
			return err
		}
		if _, possiblySent := journal.OpenSubmit(records); possiblySent != (run.sent != "") {
			return fmt.Errorf("%s: possibly sent %t, want %q", id, possiblySent, run.sent)
		}
	}
	return nil
}

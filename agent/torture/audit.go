package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/processes"
	"branchbot/internal/wire"
)

// resting tells that a run goes on only when a person says so, or not at all.
func resting(state wire.RunState) bool {
	return state.Final() || state == wire.WaitingOn || state == wire.InDoubt
}

// account is what the device says of one run.
type account struct {
	view         wire.Run
	keys         []string // that the run has claimed
	acknowledged bool     // it says that the site has its record
	ended        bool     // END is in the journal
	reported     bool     // the outbox has its record
	resolved     int      // submits looked up
	problem      error    // the journal cannot be read
}

// audit compares what the device says with what the site has. Lost is: a run
// that was acknowledged and is not there, one that never came to its end, one
// without END or outbox row, one that says done where the site has nothing, one
// that ended otherwise where the site has its record, a record that is no run's
// (on a site of our own).
func (t *Torture) audit(ctx context.Context, before, after []Record) (Figures, error) {
	accounts, err := readAccounts(ctx, t.o.Dir)
	if err != nil {
		return Figures{}, fmt.Errorf("read the device: %w", err)
	}
	books := newBooks(accounts)
	records, strange := books.count(before, after)
	f := Figures{Runs: len(accounts), Failed: map[string]int{}, Killed: t.killed}
	for _, id := range slices.Sorted(maps.Keys(t.lanes.told)) {
		if _, known := accounts[id]; !known {
			f.lost("run %s was acknowledged and is not on the device", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		f.add(id, accounts[id], records)
	}
	for _, key := range slices.Sorted(maps.Keys(records)) {
		f.Records += records[key]
		if records[key] > 1 {
			f.Double++
			f.note("double: the site has %d records with the key %s (%s)", records[key], key, books.runOf[key])
		}
	}
	for _, key := range strange {
		f.Records++
		if t.o.Own {
			f.lost("the site has a record %s that is no run's", key)
		}
	}
	return f, nil
}

// add counts one run.
func (f *Figures) add(id string, a account, records map[string]int) {
	there := slices.ContainsFunc(a.keys, func(key string) bool { return records[key] > 0 })
	f.ResolvedByProbe += a.resolved
	switch a.view.State {
	case wire.Succeeded:
		f.Succeeded++
	case wire.InDoubt:
		f.InDoubt++
	case wire.WaitingOn:
		f.Waiting++
	case wire.Failed, wire.Cancelled, wire.Missed:
		f.Failed[codeOf(a.view)]++
	}
	switch final := a.view.State.Final(); {
	case a.problem != nil:
		f.lost("run %s: %v", id, a.problem)
	case !resting(a.view.State):
		f.lost("run %s never came to its end: %s", id, a.view.State)
	case final && !a.ended:
		f.lost("run %s is %s without an END in its journal", id, a.view.State)
	case final && !a.reported:
		f.lost("run %s is %s and the outbox does not tell it", id, a.view.State)
	case a.acknowledged && !there:
		f.lost("run %s says that the site has %v, and it has not", id, a.keys)
	case final && there && !a.acknowledged:
		f.lost("run %s ended %s (%s), and the site has its record %v", id, a.view.State, codeOf(a.view), a.keys)
	}
}

func codeOf(view wire.Run) string {
	if view.Exception == nil {
		return string(view.State)
	}
	return view.Exception.Code
}

func (f *Figures) lost(format string, args ...any) {
	f.Lost++
	f.note("lost: "+format, args...)
}

func (f *Figures) note(format string, args ...any) {
	f.Findings = append(f.Findings, fmt.Sprintf(format, args...))
}

// complete adds what is not in the store.
func (t *Torture) complete(f *Figures, left []processes.Process) {
	f.Kills, f.Seed, f.MS = int(t.kills.Load()), t.o.Seed, time.Since(t.began).Milliseconds()
	for _, p := range left {
		f.note("left: %s", p)
	}
	for _, words := range t.crashed {
		f.note("crashed: the agent ended by itself: %s", words)
	}
	f.LeftProcesses, f.Crashed = len(left), len(t.crashed)
	f.PointsMissed = []string{}
	for _, point := range Points() {
		f.PointsOf++
		if len(t.covered[point]) > 0 {
			f.Points++
		} else {
			f.PointsMissed = append(f.PointsMissed, point)
		}
	}
}

// readAccounts opens the folder as the next start would and reads every run.
func readAccounts(ctx context.Context, dir string) (accounts map[string]account, err error) {
	s, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.View(func(tx *store.Tx) error {
		views, err := journal.ListRuns(tx, journal.Filter{Limit: 1 << 30})
		if err != nil {
			return err
		}
		told, err := reported(tx)
		accounts = map[string]account{}
		for _, view := range views {
			a := readAccount(tx, view)
			a.reported = told[view.Run]
			accounts[view.Run] = a
		}
		return err
	})
	return accounts, err
}

// reported are the runs that the outbox tells of. Nothing was ever acknowledged:
// the tortured device is not enrolled.
func reported(tx *store.Tx) (map[string]bool, error) {
	lines, _, err := outbox.Next(tx, 1<<30, 1<<40)
	if err != nil {
		return nil, err
	}
	runs := map[string]bool{}
	for _, line := range lines {
		var r wire.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("decode outbox record: %w", err)
		}
		if r.Kind == wire.KindRun {
			runs[r.Subject] = true
		}
	}
	return runs, nil
}

func readAccount(tx *store.Tx, view wire.Run) account {
	a := account{view: view}
	records, err := journal.Read(tx, view.Run)
	if err != nil {
		a.problem = err
		return a
	}
	for _, r := range records {
		a.problem = errors.Join(a.problem, a.take(r))
	}
	return a
}

// take reads one record of the run's journal.
func (a *account) take(r wire.JournalRecord) error {
	switch r.Kind {
	case wire.RecordIntent:
		var intent wire.IntentData
		err := json.Unmarshal(r.Data, &intent)
		a.claim(intent.Key)
		return err
	case wire.RecordOutcome:
		var outcome wire.OutcomeData
		err := json.Unmarshal(r.Data, &outcome)
		a.claim(outcome.Key)
		a.acknowledged = a.acknowledged || settled(outcome.State)
		return err
	case wire.RecordReconciled:
		var told wire.ReconciledData
		err := json.Unmarshal(r.Data, &told)
		a.acknowledged = a.acknowledged || settled(told.State)
		if told.By == "probe" && told.State != wire.SubmitInDoubt {
			a.resolved++
		}
		return err
	case wire.RecordEnd:
		a.ended = true
	}
	return nil
}

func settled(state string) bool {
	return state == wire.SubmitAcknowledged || state == wire.SubmitAlreadyThere
}

func (a *account) claim(key string) {
	if key != "" && !slices.Contains(a.keys, key) {
		a.keys = append(a.keys, key)
	}
}

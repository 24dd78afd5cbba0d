package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// ByHeadOffice is who settled a submit in RECONCILED when head office returned
// the run's own record after a restore.
const ByHeadOffice = "head_office"

// Adopt takes in a record of this device's own runs that head office had and the
// restored database may lack. The business keys of its submits are taken as it
// says; a run that was over is over here too, and is not done again. A record
// that says less than is known here changes nothing.
func Adopt(tx *store.Tx, run wire.Run) error {
	if run.Run == "" {
		return orderFault("a run without a name")
	}
	if err := adoptClaims(tx, run); err != nil {
		return fmt.Errorf("adopt run %s: %w", run.Run, err)
	}
	here, err := store.GetJSON[wire.Run](tx, store.Runs, []byte(run.Run))
	switch {
	case err == nil && here.State.Final():
		return nil
	case err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrDamaged):
		return fmt.Errorf("adopt run %s: %w", run.Run, err)
	case err != nil && !run.State.Final():
		run.State = wire.InDoubt // its journal is not here: it cannot go on by itself
	case err == nil && !run.State.Final():
		return nil
	}
	if err := endAs(tx, run); err != nil {
		return fmt.Errorf("adopt run %s: %w", run.Run, err)
	}
	return PutRun(tx, run)
}

// endAs closes the journal of a run that was over before the restore.
func endAs(tx *store.Tx, run wire.Run) error {
	h, err := store.GetJSON[head](tx, store.JournalHeads, []byte(run.Run))
	if errors.Is(err, store.ErrNotFound) || err == nil && (h.Ended || !run.State.Final()) {
		return nil
	}
	if err != nil {
		return damaged(run.Run, "its end cannot be read: %w", err)
	}
	by := wire.By{Kind: wire.BySystem}
	if h.Open == sent {
		told := wire.ReconciledData{State: wire.SubmitNotProcessed, By: ByHeadOffice}
		if n := len(run.Submits); n > 0 && isTaken(run.Submits[n-1].State) {
			told.State, told.Receipt = run.Submits[n-1].State, run.Submits[n-1].Receipt
		}
		if err := appendData(tx, wire.JournalRecord{Run: run.Run, Kind: wire.RecordReconciled, By: by}, told); err != nil {
			return err
		}
	}
	return appendData(tx, wire.JournalRecord{Run: run.Run, Kind: wire.RecordEnd, By: by},
		wire.EndData{State: run.State, Output: run.Output, Exception: run.Exception})
}

func appendData(tx *store.Tx, r wire.JournalRecord, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	r.Data = raw
	_, err = Append(tx, r)
	return err
}

func isTaken(state string) bool {
	return state == wire.SubmitAcknowledged || state == wire.SubmitAlreadyThere
}

// adoptClaims takes the business keys of a run's submits as its record says. A
// submit without an answer keeps its key open until somebody has looked.
func adoptClaims(tx *store.Tx, run wire.Run) error {
	for i, s := range run.Submits {
		if slices.ContainsFunc(run.Submits[i+1:], func(later wire.SubmitView) bool { return later.Key == s.Key }) {
			continue // the last word about a key counts
		}
		claim := Claim{Pack: run.Bot, Run: run.Run, Submit: s.Name, Window: window(s.KeyWindow)}
		if isTaken(s.State) {
			claim.State, claim.Receipt, claim.Until = s.State, s.Receipt, endOf(run).Add(claim.Window)
		}
		if s.Key == "" || s.State == SubmitIntended && !run.State.Final() { // not sent: the journal alone knows who means to
			continue
		}
		id := claimKey(tx, run.Bot, s.Key)
		there, taken, err := findClaim(tx, id)
		switch {
		case err != nil && !errors.Is(err, store.ErrDamaged):
			return err
		case err == nil && taken && (there.Run != run.Run || there.State != ""):
			continue // what is known here is newer, or another run's
		case claim.State == "" && (run.State.Final() || !isOpen(s.State)), // nothing was done there
			claim.State != "" && !tx.Steady().Before(claim.Until):
			err = tx.Delete(store.Keys, id)
		default:
			err = store.PutJSON(tx, store.Keys, id, claim)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func endOf(run wire.Run) time.Time {
	if run.Finished != nil {
		return *run.Finished
	}
	return run.Started
}

// window reads a key window that was accepted before; one that cannot be read
// is the default.
func window(text string) time.Duration {
	length, err := keyWindow(text)
	if fault.Code(err) != "" {
		return DefaultWindow
	}
	return length
}

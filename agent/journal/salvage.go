package journal

import (
	"errors"

	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// remains is what is left of a run's journal after something was lost.
type remains struct {
	run     string
	records []wire.JournalRecord // those that can be believed, in order
	bytes   int64                // of them as they stand on the disk
	whole   bool                 // numbers and chain have no gap and no record is damaged
}

// salvage reads every record of a run that is what was written.
func salvage(tx *store.Tx, run string) (remains, error) {
	left := remains{run: run, whole: true}
	last := wire.JournalRecord{Run: run}
	err := tx.Range(store.Journal, store.Scan{Prefix: recordPrefix(run)}, func(_, line []byte) error {
		r, err := decode(line, last)
		if err != nil {
			left.whole = false
		}
		if r.Run == run && r.N > last.N { // its place is sealed with it: it was written here
			left.records, last = append(left.records, r), r
			left.bytes += int64(len(line))
		}
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		left.whole, err = false, nil
	}
	return left, err
}

func (l remains) last() wire.JournalRecord {
	if len(l.records) == 0 {
		return wire.JournalRecord{Run: l.run}
	}
	return l.records[len(l.records)-1]
}

// ended reports whether the journal has its END.
func (l remains) ended() bool { return l.last().Kind == wire.RecordEnd }

// head tells from the records alone where the journal ends. Where records are
// missing, an intent that nothing is known of counts as possibly sent.
func (l remains) head(tx *store.Tx) head {
	last := l.last()
	h := head{N: last.N, Bytes: l.bytes, Hash: last.Hash, Ended: l.ended()}
	for _, r := range l.records {
		switch {
		case r.Kind == wire.RecordStart:
			h.Pack = data[wire.StartData](r).Bot
		case r.Kind == wire.RecordIntent:
			h.Open, h.Claim = intended, claimKey(tx, h.Pack, data[wire.IntentData](r).Key)
		case h.Open != closed && (r.Kind == wire.RecordPrepared || r.Kind == wire.RecordUnknown):
			h.Open = sent
		case h.Open != closed && final(r):
			h.Open, h.Claim = closed, nil
		}
	}
	switch {
	case h.Ended:
		h.Open, h.Claim = closed, nil
	case h.Open == intended && !l.whole:
		h.Open = sent
	}
	return h
}

// final reports whether a record is the last word about a submit.
func final(r wire.JournalRecord) bool {
	switch r.Kind {
	case wire.RecordOutcome, wire.RecordReconciled:
		return data[wire.OutcomeData](r).State != wire.SubmitInDoubt // RECONCILED has the same name
	}
	return false
}

// reclaim puts the business keys of a run back as its records tell of them.
// Keys that other runs have stay theirs.
func (l remains) reclaim(tx *store.Tx, h head) error {
	pack, intent := "", wire.IntentData{}
	for _, r := range l.records {
		switch {
		case r.Kind == wire.RecordStart:
			pack = data[wire.StartData](r).Bot
		case r.Kind == wire.RecordIntent:
			intent = *data[wire.IntentData](r)
		case final(r) && intent.Key != "":
			told := data[wire.OutcomeData](r)
			claim := Claim{Pack: pack, Run: l.run, Submit: intent.Submit, Window: window(intent.Window), State: told.State, Receipt: told.Receipt}
			claim.Until = r.At.Add(claim.Window)
			if err := believe(tx, claimKey(tx, pack, intent.Key), claim); err != nil {
				return err
			}
			intent = wire.IntentData{}
		}
	}
	if h.Open == closed || intent.Key == "" {
		return nil
	}
	return believe(tx, h.Claim, Claim{Pack: pack, Run: l.run, Submit: intent.Submit, Window: window(intent.Window)})
}

// believe writes what an authentic record says about a business key, unless the
// key is another run's now.
func believe(tx *store.Tx, id []byte, told Claim) error {
	there, taken, err := findClaim(tx, id)
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		return err
	}
	if err == nil && taken && there.Run != told.Run {
		return nil
	}
	switch told.State {
	case "", wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		if told.State != "" && !tx.Steady().Before(told.Until) {
			return tx.Delete(store.Keys, id)
		}
		return store.PutJSON(tx, store.Keys, id, told)
	default: // nothing was done there
		return tx.Delete(store.Keys, id)
	}
}

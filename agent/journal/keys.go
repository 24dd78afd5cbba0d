package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// DefaultWindow is how long a business key stays taken when the pack says nothing.
const DefaultWindow = 365 * 24 * time.Hour

// Claim says which run has a business key. Without State the key is claimed by a
// submit whose answer is not known yet; such a claim never runs out.
type Claim struct {
	Pack    string            `json:"pack"`
	Run     string            `json:"run"`
	Submit  string            `json:"submit"`
	Window  time.Duration     `json:"window"`
	State   string            `json:"state,omitempty"` // acknowledged | already_there
	Receipt map[string]string `json:"receipt,omitempty"`
	Until   time.Time         `json:"until,omitzero"`
}

// FindClaim tells who has a business key now. ok is false for a free one.
func FindClaim(tx *store.Tx, pack, key string) (claim Claim, ok bool, err error) {
	return findClaim(tx, claimKey(tx, pack, key))
}

func claimKey(tx *store.Tx, pack, key string) []byte { return tx.Blind("business key", pack, key) }

func findClaim(tx *store.Tx, id []byte) (Claim, bool, error) {
	claim, err := store.GetJSON[Claim](tx, store.Keys, id)
	if errors.Is(err, store.ErrNotFound) {
		return claim, false, nil
	}
	if err != nil {
		return claim, false, err
	}
	over := claim.State != "" && !tx.Steady().Before(claim.Until)
	return claim, !over, nil
}

// claim takes the key of an INTENT for its run.
func (h *head) claim(tx *store.Tx, r wire.JournalRecord) error {
	var intent wire.IntentData
	if err := json.Unmarshal(r.Data, &intent); err != nil {
		return orderFault("the data of INTENT: %w", err)
	}
	window, err := keyWindow(intent.Window)
	if err != nil {
		return err
	}
	id := claimKey(tx, h.Pack, intent.Key)
	there, taken, err := findClaim(tx, id)
	if err != nil {
		return inDoubt("", "who has this business key cannot be read: %w", err)
	}
	if taken && (there.State != "" || there.Run != r.Run) {
		return takenFault(there)
	}
	if h.Open == intended && !bytes.Equal(h.Claim, id) {
		if err := tx.Delete(store.Keys, h.Claim); err != nil { // given up before it was sent
			return err
		}
	}
	h.Open, h.Claim = intended, id
	return store.PutJSON(tx, store.Keys, id, Claim{Pack: h.Pack, Run: r.Run, Submit: intent.Submit, Window: window})
}

// foundEarly checks a record that the look-up found before anything was meant to
// be sent: the business key of another run stays that run's, open or settled.
func (h *head) foundEarly(tx *store.Tx, run, key string) error {
	if key == "" {
		return nil
	}
	there, taken, err := findClaim(tx, claimKey(tx, h.Pack, key))
	if err != nil {
		return inDoubt("", "who has this business key cannot be read: %w", err)
	}
	if taken && there.Run != run {
		return takenFault(there)
	}
	return nil
}

func keyWindow(text string) (time.Duration, error) {
	if text == "" {
		return DefaultWindow, nil
	}
	window, err := time.ParseDuration(text)
	if err != nil || window <= 0 {
		return 0, orderFault("key window %q of INTENT", text)
	}
	return window, nil
}

// takenFault tells the run that has the key and, if known, the receipt as JSON.
func takenFault(claim Claim) error {
	if claim.State == "" {
		return inDoubt(claim.Run, "%s may have submitted this business key, its answer is not known yet", claim.Run)
	}
	receipt, err := json.Marshal(claim.Receipt)
	if err != nil {
		return fmt.Errorf("encode receipt: %w", err)
	}
	return fault.New(fault.Business, "already_submitted", "%s has submitted this business key already", claim.Run).
		WithHint("use the receipt of %s; nothing was sent again", claim.Run).
		WithFact("run", claim.Run).WithFact("state", claim.State).WithFact("receipt", string(receipt))
}

func inDoubt(run, format string, args ...any) error {
	return fault.New(fault.Business, "key_in_doubt", format, args...).
		WithHint("settle %s first: look the business key up in the business system", run).WithFact("run", run)
}

// settle keeps the key taken for its window: the business system has the record.
// A row that is lost or damaged is written anew; another run's stays as it is.
func (h *head) settle(tx *store.Tx, run, state string, receipt map[string]string) error {
	claim, err := store.GetJSON[Claim](tx, store.Keys, h.Claim)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDamaged):
		claim = Claim{Pack: h.Pack, Run: run, Window: DefaultWindow}
	case err != nil:
		return fmt.Errorf("settle business key: %w", err)
	}
	if claim.Run == run {
		claim.State, claim.Receipt, claim.Until = state, receipt, tx.Steady().Add(claim.Window)
		if err := store.PutJSON(tx, store.Keys, h.Claim, claim); err != nil {
			return err
		}
	}
	h.Open, h.Claim = closed, nil
	return nil
}

// free gives the key back: the business system has nothing.
func (h *head) free(tx *store.Tx, run string) error {
	if h.Open == closed {
		return nil
	}
	claim, err := store.GetJSON[Claim](tx, store.Keys, h.Claim)
	if mine := err != nil || claim.Run == run; mine {
		if err := tx.Delete(store.Keys, h.Claim); err != nil {
			return fmt.Errorf("free business key: %w", err)
		}
	}
	h.Open, h.Claim = closed, nil
	return nil
}

// ForgetClaims deletes claims whose window is over: those of up to limit rows
// from the given place. It returns the place to go on, nil after the last row.
func ForgetClaims(tx *store.Tx, from []byte, limit int) (next []byte, err error) {
	var over [][]byte
	seen := 0
	err = tx.Range(store.Keys, store.Scan{From: from}, func(id, value []byte) error {
		if seen == limit {
			next = id
			return store.ErrStop
		}
		seen++
		var claim Claim
		if json.Unmarshal(value, &claim) == nil && claim.State != "" && !tx.Steady().Before(claim.Until) {
			over = append(over, id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrDamaged) { // damaged ones stay taken
		return nil, fmt.Errorf("forget business keys: %w", err)
	}
	for _, id := range over {
		if err := tx.Delete(store.Keys, id); err != nil {
			return nil, err
		}
	}
	return next, nil
}

package outbox

import (
	"errors"
	"time"

	"branchbot/agent/store"
)

// Kinds of Event.
const (
	EventEpoch       = "epoch"       // this database began a new epoch
	EventIncarnation = "incarnation" // head office was restored, or is another one
	EventGap         = "gap"         // records that neither side has any more
	EventRefused     = "refused"     // head office stopped letting this device in
)

// Event is something that befell the line and that people must be able to see.
type Event struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail"`
}

// Refusal is why head office does not let this device in; enrolling again ends it.
type Refusal struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint"`
	Since   time.Time `json:"since"`
}

// maxEvents bounds what is kept of them.
const maxEvents = 30

// Rows of store.OutboxState.
const (
	eventsRow  = "events"
	refusalRow = "refusal"
)

// events are for people to see: a row that cannot be read is no trouble of the line.
func events(tx *store.Tx) []Event {
	kept, err := store.GetJSON[[]Event](tx, store.OutboxState, []byte(eventsRow))
	if err != nil {
		return nil
	}
	return kept
}

// Note keeps an event. The same one twice in a row is one.
func Note(tx *store.Tx, kind, detail string) error {
	kept := events(tx)
	if n := len(kept); n > 0 && kept[n-1].Kind == kind && kept[n-1].Detail == detail {
		return nil
	}
	kept = append(kept, Event{At: tx.Now(), Kind: kind, Detail: detail})
	return store.PutJSON(tx, store.OutboxState, []byte(eventsRow), kept[max(0, len(kept)-maxEvents):])
}

func readRefusal(tx *store.Tx) *Refusal {
	refusal, err := store.GetJSON[Refusal](tx, store.OutboxState, []byte(refusalRow))
	if err != nil {
		return nil
	}
	return &refusal
}

// Refused remembers, over restarts, that head office does not let this device in.
func Refused(tx *store.Tx, refusal Refusal) error {
	if before := readRefusal(tx); before != nil && before.Code == refusal.Code && before.Message == refusal.Message {
		return nil
	}
	refusal.Since = tx.Now()
	return errors.Join(
		store.PutJSON(tx, store.OutboxState, []byte(refusalRow), refusal),
		Note(tx, EventRefused, refusal.Code+": "+refusal.Message))
}

// LetIn forgets a refusal: head office has answered, or a new identity is there.
func LetIn(tx *store.Tx) error {
	if _, err := tx.Get(store.OutboxState, []byte(refusalRow)); errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return tx.Delete(store.OutboxState, []byte(refusalRow))
}

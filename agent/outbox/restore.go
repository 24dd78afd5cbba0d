package outbox

import (
	"errors"
	"fmt"

	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Reasons for another epoch, in wire.EpochBegan.
const (
	ReasonRestored = "restored" // the database was put together from what could be saved
	ReasonAhead    = "ahead"    // head office has more of our epoch than we do
	ReasonDiffers  = "differs"  // head office has another record where we have one
	ReasonEnrolled = "enrolled" // the device was enrolled again
)

// Outdated says that the present epoch must not be sent any more: nothing is
// given out until Restore has begun another one.
func Outdated(tx *store.Tx, reason string) error {
	s, err := load(tx)
	if err != nil {
		return err
	}
	s.Stale = reason
	return s.save(tx)
}

// Restore begins the store's present epoch after the former one. Call it once,
// before anything is added.
//
// What waited keeps its epoch and its seq and is sent first; a record of it that
// is lost is replaced by an alert. But when the epoch is Outdated its numbers may
// be taken at head office: then what waited gets new ones, in the new epoch, and
// names its former place. The new epoch's first record is an alert that says
// where the former one ended. told adds what is known of the loss.
func Restore(tx *store.Tx, former string, told ...wire.EpochBegan) error {
	s, err := loadRows(tx)
	if err != nil {
		return err
	}
	if err := s.cover(tx); err != nil {
		return err
	}
	s.Acked = min(max(s.Acked, 1), s.Next)
	former = s.name(former)
	device, err := deviceName(tx)
	if err != nil {
		return err
	}
	if _, err := s.mend(tx, device, wire.By{Kind: wire.BySystem}); err != nil {
		return err
	}
	if err := s.begin(tx, device, former, told); err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	return s.save(tx)
}

// name finds the former epoch's name. When nothing tells it, what waited in it can
// be sent under no name any more.
func (s *state) name(former string) string {
	if n := len(s.spans); n > 0 {
		return s.spans[n-1].Epoch
	}
	s.spans = []span{{Epoch: former, From: 1}}
	if former == "" {
		s.First, s.Acked = s.Next, s.Next
	}
	return former
}

// begin opens the new epoch with the alert.
func (s *state) begin(tx *store.Tx, device, former string, told []wire.EpochBegan) error {
	body := wire.EpochBegan{Reason: ReasonRestored}
	if len(told) > 0 {
		body = told[0]
	}
	if s.Stale != "" {
		body.Reason = s.Stale
	}
	body.Former = former
	if p, known := s.of(former); known {
		body.FormerTo = p.seq(s.end(p)) - 1
	}
	waited, err := s.takeBack(tx)
	if err != nil {
		return err
	}
	s.open(tx.Epoch())
	r, err := alert(tx, wire.AlertEpochBegan, device, body)
	if err != nil {
		return err
	}
	if _, err := s.add(tx, r); err != nil {
		return err
	}
	if err := s.addAgain(tx, device, waited); err != nil {
		return err
	}
	s.Stale = ""
	return Note(tx, EventEpoch, body.Reason)
}

// takeBack takes what waits out of an outdated epoch.
func (s *state) takeBack(tx *store.Tx) (waited []wire.Record, err error) {
	if s.Stale == "" {
		return nil, nil
	}
	for i, p := range s.spans {
		if p.Epoch == tx.Epoch() { // what was added since is in its place
			continue
		}
		from := max(s.Acked, s.First, p.From)
		for place := from; place < s.end(p); place++ {
			r, err := store.GetJSON[wire.Record](tx, store.Outbox, store.NumberKey(place))
			if err != nil {
				return nil, err
			}
			waited = append(waited, r)
			if err := tx.Delete(store.Outbox, store.NumberKey(place)); err != nil {
				return nil, err
			}
		}
		s.spans[i].To, s.unsaved = min(s.end(p), from), true
	}
	return waited, s.forgetForeign(tx)
}

// maxFormer bounds how many former places a record names.
const maxFormer = 20

// addAgain puts records in line again; each names where it stood before.
func (s *state) addAgain(tx *store.Tx, device string, waited []wire.Record) error {
	for _, r := range waited {
		r.Former = append(r.Former, wire.Place{Epoch: r.Epoch, Seq: r.Seq}) // it may have arrived there
		r.Former = r.Former[max(0, len(r.Former)-maxFormer):]
		r.Device = device
		if _, err := s.add(tx, r); err != nil {
			return err
		}
	}
	if len(waited) > 0 || s.Stale != "" {
		s.Acked = max(s.Acked, s.current().From)
	}
	return nil
}

// forgetForeign deletes what was sent under another name than the device has
// now: it can never be sent again.
func (s *state) forgetForeign(tx *store.Tx) error {
	device, err := deviceName(tx)
	if err != nil || device == "" {
		return err
	}
	kept, err := store.GetJSON[wire.Record](tx, store.Outbox, store.NumberKey(s.First))
	if err != nil || kept.Device == device {
		return nil //nolint:nilerr // nothing is kept, or nobody can tell
	}
	for place := s.First; place < s.Acked; place++ {
		key := store.NumberKey(place)
		if err := errors.Join(tx.Delete(store.Outbox, key), tx.Delete(store.OutboxSent, key)); err != nil {
			return err
		}
	}
	s.First = s.Next
	return nil
}

// deviceName is "" for a device that is not enrolled, or must be again: enrolment
// adopts its records.
func deviceName(tx *store.Tx) (string, error) {
	identity, err := vault.GetIdentity(tx)
	if err != nil && !fault.HasCode(err, "not_enrolled") && !errors.Is(err, store.ErrDamaged) {
		return "", fmt.Errorf("read identity: %w", err)
	}
	return identity.Device, nil
}

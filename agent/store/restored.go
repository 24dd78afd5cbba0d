package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

var (
	epochKey    = []byte("epoch")
	layoutKey   = []byte("layout")
	restoredKey = []byte("restored")
)

// Restored says how this database came to its epoch after another one: it was put
// together again, or the epoch was given up on a live one (Renew).
type Restored struct {
	At          time.Time         `json:"at"`
	Reason      string            `json:"reason"`
	FormerEpoch string            `json:"former_epoch,omitempty"` // "" when it is lost
	SnapshotAt  *time.Time        `json:"snapshot_at,omitempty"`  // of the snapshot that was used
	Rows        map[string]int    `json:"rows,omitempty"`         // by where they come from
	Lost        map[string]uint64 `json:"lost,omitempty"`         // damaged rows by bucket
	Torn        []string          `json:"torn,omitempty"`         // buckets that may lack more, nobody knows how much
	Aside       string            `json:"aside,omitempty"`        // name of the damaged file
	Settled     bool              `json:"settled"`                // the agent has drawn the consequences
}

// Restored tells of the last change of the epoch, nil for a database that never had one.
func (s *Store) Restored() *Restored {
	var last *Restored
	err := s.View(func(tx *Tx) (err error) {
		last, err = GetJSON[*Restored](tx, Meta, restoredKey)
		return err
	})
	if err != nil {
		return nil // not there, or damaged: then its consequences were drawn long ago
	}
	return last
}

// Renew begins a new epoch on a live store: what head office knows of the present
// one is more than we do, so an older copy of the disk came back, or there are two
// of us. Options.Renewed draws the consequences in the same transaction.
func (s *Store) Renew(ctx context.Context, reason string) error {
	before := s.Epoch()
	err := s.Update(ctx, func(tx *Tx) error {
		r := Restored{At: tx.Now(), Reason: reason, FormerEpoch: tx.Epoch()}
		epoch := rand.Text()
		if err := tx.Put(Meta, epochKey, []byte(epoch)); err != nil {
			return err
		}
		s.epoch.Store(&epoch)
		return tx.settle(r)
	})
	if err != nil {
		s.epoch.Store(&before)
		return fmt.Errorf("begin a new epoch: %w", err)
	}
	s.point("store.renewed")
	s.o.Logger.Warn("a new epoch begins", "reason", reason, "former", before, "epoch", s.Epoch())
	return nil
}

// settle draws the consequences of a new epoch, in the transaction that made it
// or, after a salvage, in the first one of the new file.
func (t *Tx) settle(r Restored) error {
	if t.store.o.Renewed != nil {
		if err := t.store.o.Renewed(t, r); err != nil {
			return err
		}
		r.Settled = true
	}
	return PutJSON(t, Meta, restoredKey, r)
}

// settleRestored does what a crash may have left open. Called before anybody has the store.
func (s *Store) settleRestored() error {
	last := s.Restored()
	if last == nil || last.Settled || s.o.Renewed == nil {
		return nil
	}
	c := &call{fn: func(tx *Tx) error { return tx.settle(*last) }}
	if err := errors.Join(s.transact([]*call{c}), c.err); err != nil {
		return fmt.Errorf("draw the consequences of a new epoch: %w", err)
	}
	return nil
}

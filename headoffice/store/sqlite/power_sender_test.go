//go:build linux

package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/wire"
)

// errLost marks what a cut must not do.
var errLost = errors.New("acknowledged, and lost")

// sender is a device: it sends what follows the last acknowledged record.
type sender struct {
	id    string
	next  uint64 // as acknowledged
	asked uint64 // how many records were on the way at the cut
}

// record is what a device sends under a seq, always the same.
func (s *sender) record(seq uint64) store.Record {
	text := strings.Repeat(fmt.Sprintf("%s-%d ", s.id, seq), 1+int(seq*seq%400))
	run := wire.Run{Run: fmt.Sprintf("run_%s_%d", s.id, seq), Bot: "account-opening", State: wire.Succeeded, Started: time.Unix(int64(seq), 0).UTC(), BusinessDate: text}
	body, _ := json.Marshal(run) // never fails, nor does the next
	raw, _ := json.Marshal(wire.Record{V: 1, Device: s.id, Epoch: "e", Seq: seq, Kind: wire.KindRun, Subject: run.Run, Body: body})
	return store.Record{Seq: seq, Raw: raw, Digest: wire.Digest(raw), Kind: wire.KindRun, Subject: run.Run, Run: &run}
}

func (o *office) enrol(ctx context.Context, db *DB) error {
	s := &sender{id: "dev_" + rand.Text()[:8], next: 1}
	expires := time.Now().Add(time.Hour)
	err := db.AddTokens(ctx, []store.Token{{Hash: s.id, Created: time.Now(), Expires: expires}})
	if err != nil {
		return err
	}
	if _, err := db.Claim(ctx, s.id, store.Device{ID: s.id, State: store.DeviceApproved, Key: s.id, Enrolled: time.Now()}); err != nil {
		return err
	}
	if err := db.Certify(ctx, s.id, store.Certificate{Fingerprint: s.id, Expires: expires}); err != nil {
		return err
	}
	o.senders = append(o.senders, s)
	o.found.promised++
	return nil
}

func (o *office) keepKey(ctx context.Context, db *DB) error {
	name := rand.Text()
	_, err := db.KeepKey(ctx, store.Key{Name: name, Public: []byte(name), Sealed: []byte(name)})
	if err == nil {
		o.keys = append(o.keys, name)
		o.found.promised++
	}
	return err
}

// ingest commits batches of several devices in one group. Now and then one sends
// again what was acknowledged.
func (o *office) ingest(ctx context.Context, db *DB) error {
	var batches []store.Batch
	var sending []*sender
	for _, s := range o.senders {
		if o.r.IntN(3) == 0 {
			continue
		}
		first := s.next
		if s.asked = 1 + o.r.Uint64N(20); first > 3 && o.r.IntN(5) == 0 {
			first -= 3
		}
		b := store.Batch{Device: s.id, Fingerprint: s.id, Epoch: "e", First: first, Received: time.Now()}
		for seq := first; seq < s.next+s.asked; seq++ {
			b.Records = append(b.Records, s.record(seq))
		}
		batches, sending = append(batches, b), append(sending, s)
	}
	results, err := db.Ingest(ctx, batches)
	if err != nil {
		return err
	}
	for i, s := range sending {
		if results[i].Err != nil || results[i].NextSeq != s.next+s.asked {
			return fmt.Errorf("%s: %+v, want next %d", s.id, results[i], s.next+s.asked)
		}
		o.found.promised += int(s.asked)
		s.next, s.asked = s.next+s.asked, 0
	}
	return nil
}

// verify opens the file as the next start would.
func (o *office) verify(ctx context.Context) error {
	db, err := o.create(ctx)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	err = errors.Join(db.verify(ctx), o.sameKeys(ctx, db), o.sameRecords(ctx, db))
	return errors.Join(err, db.Close())
}

func (o *office) sameKeys(ctx context.Context, db *DB) error {
	for _, name := range o.keys {
		if key, err := db.Key(ctx, name); err != nil || string(key.Sealed) != name {
			return fmt.Errorf("%w: key %s: %w", errLost, name, err)
		}
	}
	return nil
}

// sameRecords finds each device and its records, exactly once, in inbox and read
// model. What was on the way is there for all devices of the group or for none.
func (o *office) sameRecords(ctx context.Context, db *DB) error {
	arrived, missed := 0, 0
	for _, s := range o.senders {
		if d, err := db.Device(ctx, s.id); err != nil || d.State != store.DeviceApproved {
			return fmt.Errorf("%w: device %s is %s: %w", errLost, s.id, d.State, err)
		}
		next, err := s.stored(ctx, db)
		switch {
		case err != nil:
			return err
		case s.asked > 0 && next == s.next+s.asked:
			arrived++
		case next == s.next && s.asked > 0:
			missed++
		case next != s.next:
			return fmt.Errorf("%w: %s stands at %d, acknowledged %d", errLost, s.id, next, s.next)
		}
		s.next, s.asked = next, 0
	}
	if arrived > 0 && missed > 0 {
		return fmt.Errorf("a group commit is there in part: %d devices of %d", arrived, arrived+missed)
	}
	o.found.unpromisedThere += arrived
	return nil
}

// stored reads a device's records and returns the seq that follows.
func (s *sender) stored(ctx context.Context, db *DB) (next uint64, err error) {
	rows, err := db.read.QueryContext(ctx, `SELECT i.seq, i.raw, (SELECT count(*) FROM runs WHERE device = e.device AND run = i.subject)
		FROM inbox i JOIN epochs e ON e.id = i.epoch WHERE e.device = ? ORDER BY i.seq`, s.id)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for next = 1; rows.Next(); next++ {
		var seq uint64
		var raw []byte
		var runs int
		if err := rows.Scan(&seq, &raw, &runs); err != nil {
			return 0, err
		}
		if seq != next || string(raw) != string(s.record(seq).Raw) || runs != 1 {
			return 0, fmt.Errorf("%w: %s record %d, found %d with %d runs", errLost, s.id, next, seq, runs)
		}
	}
	var told uint64
	err = db.read.QueryRowContext(ctx, `SELECT coalesce(max(next_seq), 1) FROM epochs WHERE device = ?`, s.id).Scan(&told)
	if err == nil && told != next {
		err = fmt.Errorf("%s: sequence stands at %d, the inbox at %d", s.id, told, next)
	}
	return next, errors.Join(err, rows.Err())
}

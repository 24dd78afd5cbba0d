package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"branchbot/headoffice/store"
)

// taking is the work on one batch within the transaction. It holds its ctx
// because it is that one running activity.
type taking struct {
	ctx   context.Context
	tx    *sql.Tx
	db    *DB
	batch store.Batch

	growing int64 // the device's present epoch, 0 before the first
	epoch   int64 // of the batch, 0 while nothing of it is known
	next    uint64
	last    string // digest of the last record taken
	stored  int
	closed  bool // a gap: what was missing is known to be gone
}

// run takes what it can and says where the sequence stands. A device that turns
// out to be halted is a result, not an error: the halt must be committed.
func (t *taking) run() (store.Result, error) {
	halted, err := t.openDevice()
	if err != nil || halted != nil {
		return store.Result{Err: halted}, err
	}
	if err := t.openEpoch(); err != nil {
		return store.Result{}, err
	}
	begun := t.next == 1
	if err := t.closeGap(); err != nil {
		return store.Result{}, err
	}
	if reason, err := t.takeRecords(); err != nil || reason != "" {
		return t.halted(reason, err)
	}
	var first int64
	if begun && t.stored > 0 {
		first = millis(t.batch.Records[0].Created)
	}
	if t.moved() {
		if _, err := t.exec(t.db.ingest.advance, t.next, first, t.epoch); err != nil {
			return store.Result{}, fmt.Errorf("advance sequence: %w", err)
		}
	}
	last, err := t.lastDigest()
	if err != nil {
		return store.Result{}, err
	}
	return store.Result{NextSeq: t.next, Last: last, Stored: t.stored}, t.noteDevice()
}

// moved reports whether the sequence stands elsewhere than before.
func (t *taking) moved() bool { return t.stored > 0 || t.closed }

// former reports whether the batch is of an epoch that ended: another one of the
// device has records since.
func (t *taking) former() bool { return t.epoch != 0 && t.epoch < t.growing }

// lastDigest tells the device which record we take for its last one.
func (t *taking) lastDigest() (digest string, err error) {
	if t.last != "" || t.next == 1 {
		return t.last, nil
	}
	err = t.row(t.db.ingest.known, t.epoch, t.next-1).Scan(&digest)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // none: it is in a gap
		return "", fmt.Errorf("read record %d: %w", t.next-1, err)
	}
	return digest, nil
}

// seldom spares the disk: a device that only asks is noted this often.
const seldom = 10 * time.Second

func (t *taking) noteDevice() error {
	noted := t.batch.Received
	if t.stored == 0 {
		noted = noted.Add(-seldom)
	}
	growing := sql.NullInt64{Int64: t.growing}
	if t.moved() {
		growing.Int64 = max(t.growing, t.epoch)
	}
	growing.Valid = growing.Int64 != 0
	_, err := t.exec(t.db.ingest.seen, millis(t.batch.Received), growing, t.batch.Device, millis(noted), growing)
	if err != nil {
		return fmt.Errorf("note device: %w", err)
	}
	return nil
}

func (t *taking) exec(statement *sql.Stmt, args ...any) (sql.Result, error) {
	return t.tx.StmtContext(t.ctx, statement).ExecContext(t.ctx, args...) //nolint:sqlclosecheck // the transaction closes it
}

func (t *taking) row(statement *sql.Stmt, args ...any) *sql.Row {
	return t.tx.StmtContext(t.ctx, statement).QueryRowContext(t.ctx, args...) //nolint:sqlclosecheck // the transaction closes it
}

// openDevice looks at the device's row inside the transaction, so that a
// revocation that came first wins. The first result is a standing halt.
func (t *taking) openDevice() (halted, err error) {
	var state, fingerprint, reason string
	err = t.row(t.db.ingest.device, t.batch.Device).Scan(&state, &fingerprint, &reason, &t.growing)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && fingerprint != t.batch.Fingerprint:
		return nil, store.DeviceUnknown(t.batch.Device)
	case err != nil:
		return nil, fmt.Errorf("read device: %w", err)
	case state == store.DeviceHalted:
		return store.Halted(t.batch.Device, reason), nil
	}
	return nil, nil
}

func (t *taking) openEpoch() error {
	err := t.row(t.db.ingest.epoch, t.batch.Device, t.batch.Epoch).Scan(&t.epoch, &t.next)
	if err == nil {
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read epoch: %w", err)
	}
	t.next = 1 // only asking leaves nothing behind: see addEpoch
	return nil
}

// addEpoch writes an epoch down with its first record. From then on it is the
// device's present one, and those before may not grow any more.
func (t *taking) addEpoch() error {
	if t.epoch != 0 {
		return nil
	}
	result, err := t.exec(t.db.ingest.addEpoch, t.batch.Device, t.batch.Epoch)
	if err != nil {
		return fmt.Errorf("add epoch: %w", err)
	}
	t.epoch, err = result.LastInsertId()
	return err
}

// takeRecords returns a reason when the device must be halted.
func (t *taking) takeRecords() (reason string, err error) {
	first, err := t.first()
	if err != nil {
		return "", err
	}
	for i, record := range t.batch.Records {
		seq, verdict := store.Place(first, i, record, t.next)
		switch verdict {
		case store.Known:
			reason, err = t.compare(seq, record)
		case store.Take:
			reason, err = t.take(seq, record)
		default:
			return "", nil // the reply asks again from next
		}
		if err != nil || reason != "" {
			return reason, err
		}
	}
	return "", nil
}

// first finds the place of a batch in which no record tells its seq: it was
// sent before if its first record is among the latest, else it is new.
func (t *taking) first() (uint64, error) {
	if t.batch.First != 0 || len(t.batch.Records) == 0 {
		return t.batch.First, nil
	}
	var seq uint64
	oldest := max(t.next, uint64(len(t.batch.Records))) - uint64(len(t.batch.Records))
	err := t.row(t.db.ingest.resent, t.epoch, oldest, t.batch.Records[0].Digest).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return t.next, nil
	}
	return seq, err
}

func (t *taking) compare(seq uint64, record store.Record) (reason string, err error) {
	var digest string
	err = t.row(t.db.ingest.known, t.epoch, seq).Scan(&digest)
	if errors.Is(err, sql.ErrNoRows) {
		return "", t.fillGap(seq, record)
	}
	if err != nil {
		return "", fmt.Errorf("read record %d: %w", seq, err)
	}
	if digest == record.Digest || record.IsLossNotice() { // the device lost what we have
		return "", nil
	}
	return fmt.Sprintf("record %d of epoch %s came again with other content: two machines share one identity", seq, t.batch.Epoch),
		t.keepConflict(seq, record)
}

func (t *taking) take(seq uint64, record store.Record) (reason string, err error) {
	if t.former() {
		return fmt.Sprintf("epoch %s ended and yet makes new records: two machines share one identity", t.batch.Epoch),
			t.keepConflict(seq, record)
	}
	if err := t.addEpoch(); err != nil {
		return "", err
	}
	if err := t.keep(seq, record); err != nil {
		return "", err
	}
	t.next, t.stored, t.last = seq+1, t.stored+1, record.Digest
	return "", nil
}

// keep writes a record into the inbox and the read model.
func (t *taking) keep(seq uint64, record store.Record) error {
	repeated, err := t.repeated(record)
	if err != nil {
		return err
	}
	if repeated {
		record.Flag, record.Run = store.FlagRepeated, nil
	}
	_, err = t.exec(t.db.ingest.addInbox, t.epoch, seq, record.Digest, record.Flag, record.Kind, record.Subject,
		millis(t.batch.Received), []byte(record.Raw))
	if err != nil {
		return fmt.Errorf("store record %d: %w", seq, err)
	}
	return t.project(seq, record)
}

// maxFormer bounds how many former places are looked at.
const maxFormer = 20

// repeated reports whether a record that names former places was taken at one.
func (t *taking) repeated(record store.Record) (bool, error) {
	for _, place := range record.Former[:min(len(record.Former), maxFormer)] {
		var raw []byte
		err := t.tx.QueryRowContext(t.ctx, `SELECT i.raw FROM inbox i JOIN epochs e ON e.id = i.epoch WHERE e.device = ? AND e.epoch = ? AND i.seq = ?`,
			t.batch.Device, place.Epoch, int64(place.Seq)).Scan(&raw)
		if err == nil && store.SameContent(raw, record.Raw) {
			return true, nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, fmt.Errorf("read former place: %w", err)
		}
	}
	return false, nil
}

// project keeps the read model in step with the inbox.
func (t *taking) project(seq uint64, record store.Record) error {
	run := record.Run
	if run == nil {
		return nil
	}
	var exception string
	if run.Exception != nil {
		exception = run.Exception.Code
	}
	var finished int64
	if run.Finished != nil {
		finished = millis(*run.Finished)
	}
	_, err := t.exec(t.db.ingest.addRun, t.batch.Device, run.Run, t.epoch, seq, millis(t.batch.Received),
		run.Bot, run.Version, string(run.State), exception, millis(run.Started), finished)
	if err != nil {
		return fmt.Errorf("store run: %w", err)
	}
	return nil
}

func (t *taking) keepConflict(seq uint64, record store.Record) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO conflicts (epoch, seq, digest, received, raw) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		t.epoch, seq, record.Digest, millis(t.batch.Received), []byte(record.Raw))
	if err != nil {
		return fmt.Errorf("keep conflict: %w", err)
	}
	return nil
}

// halted stops the device and keeps what was taken before the conflict.
func (t *taking) halted(reason string, err error) (store.Result, error) {
	if err != nil {
		return store.Result{}, err
	}
	_, err = t.tx.ExecContext(t.ctx, `UPDATE devices SET state = ?, halt_reason = ? WHERE id = ?`, store.DeviceHalted, reason, t.batch.Device)
	if err != nil {
		return store.Result{}, fmt.Errorf("halt device: %w", err)
	}
	if _, err := t.exec(t.db.ingest.advance, t.next, int64(0), t.epoch); err != nil {
		return store.Result{}, fmt.Errorf("advance sequence: %w", err)
	}
	if err := audit(t.ctx, t.tx, store.Actor{Person: "headoffice", Kind: "system"}, "device.halt", t.batch.Device, reason); err != nil {
		return store.Result{}, err
	}
	return store.Result{NextSeq: t.next, Stored: t.stored, Err: store.Halted(t.batch.Device, reason)}, nil
}

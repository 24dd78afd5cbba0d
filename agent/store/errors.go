package store

import (
	"errors"
	"fmt"

	bbolterrors "go.etcd.io/bbolt/errors"

	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// What callers test for.
var (
	// ErrNotFound: no row with this key.
	ErrNotFound = errors.New("no such row")
	// ErrDamaged: the row is there, but it is not what was written. The error in
	// front of it is a *DamagedError that names the rows.
	ErrDamaged = errors.New("damaged row")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrStop is returned by a Range callback that has seen enough.
	ErrStop = errors.New("stop")
)

// DamagedError names rows whose values are not what was written.
type DamagedError struct {
	Bucket Bucket
	Keys   [][]byte
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%d damaged rows in %s, first %q", len(e.Keys), e.Bucket, e.Keys[0])
}

// Is makes errors.Is(err, ErrDamaged) true.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

func locked(format string, args ...any) error {
	return fault.New(fault.Usage, "store_locked", format, args...).
		WithHint("put the right %s back into the data folder, or start with an empty data folder and enrol again", KeyFileName)
}

// isFull reports whether there was no room: on the disk, or below MaxSize.
func isFull(err error) bool {
	return disk.IsFull(err) || errors.Is(err, bbolterrors.ErrMaxSizeReached)
}

// FullDisk gives an error the code disk_full when a full disk is its cause.
func FullDisk(err error) error { return diskError(err) }

// diskError gives the errors of a full disk their code.
func diskError(err error) error {
	if isFull(err) && !fault.HasCode(err, "disk_full") {
		return fault.New(fault.Application, "disk_full", "no room to write: %w", err).
			WithHint("free disk space on the drive of the data folder").Retry()
	}
	return err
}

// asDamage turns bbolt's panic over a damaged page into an error. A page number
// out of range is a memory fault: SetPanicOnFault makes that a panic too.
func asDamage(err *error) {
	if what := recover(); what != nil {
		*err = unreadable(fmt.Errorf("%w: %v", ErrDamaged, what))
	}
}

func unreadable(err error) error {
	return fault.New(fault.Application, "store_unreadable", "the database file cannot be read: %w", err).
		WithHint("keep %s for support and start with an empty data folder, then enrol the device again", FileName)
}

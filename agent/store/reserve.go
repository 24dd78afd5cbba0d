package store

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"branchbot/internal/disk"
)

// ReserveFileName is the file that holds room for results.
const ReserveFileName = "branchbot.reserve"

// reserveShare bounds the reserve on a small disk: one part in so many.
const reserveShare = 64

// reserve is room that is held back: real blocks in a file, and the last part of
// MaxSize. A transaction that finds no room gives both up and is written again.
type reserve struct {
	path string
	size int64 // as asked for

	mu   sync.Mutex
	held int64 // bytes in the file now
}

// Hold makes the reserve when it is not there and the disk has room for it twice;
// it reports whether the reserve is there. With no reserve asked for it always is.
func (s *Store) Hold() bool {
	r := &s.reserve
	if r.size == 0 {
		return true
	}
	crowded := s.o.MaxSize > 0 && s.Room().Used > s.o.MaxSize-2*r.size
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held > 0 || crowded {
		return r.held > 0
	}
	if err := r.make(); err != nil {
		s.o.Logger.Debug("no reserve", "error", err)
		return false
	}
	s.o.Logger.Info("reserve held", "bytes", r.held)
	return true
}

// make allocates the file, or takes the one that is there. Called with the reserve locked.
func (r *reserve) make() (err error) {
	if info, err := os.Stat(r.path); err == nil && info.Size() > 0 {
		r.held = info.Size()
		return nil
	}
	space, err := disk.Measure(filepath.Dir(r.path))
	if err != nil {
		return err
	}
	size := min(r.size, space.Total/reserveShare)
	if space.Free < 2*size || size <= 0 {
		return fmt.Errorf("%d bytes are free, too few to hold %d back", space.Free, size)
	}
	unfinished := filepath.Join(filepath.Dir(r.path), TempPrefix+"reserve") // a crash leaves no half reserve
	if err := allocate(unfinished, size); err != nil {
		return errors.Join(err, os.Remove(unfinished))
	}
	if err := os.Rename(unfinished, r.path); err != nil {
		return errors.Join(err, os.Remove(unfinished))
	}
	r.held = size
	return nil
}

func allocate(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(disk.Allocate(file, size), file.Sync(), file.Close())
}

// giveUp frees the reserve; false when there is none to give.
func (s *Store) giveUp() bool {
	r := &s.reserve
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == 0 {
		return false
	}
	if err := os.Remove(r.path); err != nil {
		s.o.Logger.Error("reserve could not be given up", "error", err)
		return false
	}
	r.held = 0
	s.o.Logger.Warn("disk full: the reserve is given up for results")
	return true
}

// maxSize is how large the file may grow now: its last part is reserve, too.
func (s *Store) maxSize() int {
	if s.o.MaxSize == 0 {
		return 0
	}
	s.reserve.mu.Lock()
	defer s.reserve.mu.Unlock()
	return int(s.o.MaxSize - s.reserve.held)
}

// growBy is the step in which a file with a limit grows: bbolt's own would leave the
// last 16 MiB below the limit unused.
const growBy = 1 << 20

// Left is what the database may still grow by before the reserve is needed; a lot
// without a limit.
func (s *Store) Left() int64 {
	limit := s.maxSize()
	if limit == 0 {
		return math.MaxInt64
	}
	return max(int64(limit)-growBy-s.Room().Used, 0)
}

// WithReserve runs fn, which writes a file that the device cannot do without, and
// runs it again on a full disk after the reserve is given up.
func (s *Store) WithReserve(fn func() error) error {
	err := fn()
	if isFull(err) && s.giveUp() {
		err = fn()
	}
	return err
}

// Held reports whether the reserve is there.
func (s *Store) Held() bool {
	s.reserve.mu.Lock()
	defer s.reserve.mu.Unlock()
	return s.reserve.size == 0 || s.reserve.held > 0
}

package store

import (
	"errors"
	"sync"
	"time"
)

// longestOff is the longest time off that the wall clock is believed about. After
// a longer one, or with a clock set by years, no time counts as passed.
const longestOff = 14 * 24 * time.Hour

const steadyKey = "steady"

// steady is the device's age: it is what windows and retention are counted in. It began
// at the wall time of the first start and has moved since with the time that passed,
// never with the clock on the wall. So a wrong clock deletes nothing early. It may
// fall behind (a kill costs up to an hour, a very long time off all of it): then
// things are kept longer. It is not a time to show to anybody.
type steady struct {
	mu    sync.Mutex
	since time.Duration // Elapsed at base
	base  time.Time
}

// mark is how the steady clock stood when it was last written down.
type mark struct {
	Steady time.Time `json:"steady"`
	Wall   time.Time `json:"wall"`
}

// sinceStart is the default of Options.Elapsed. A given clock is a test's and counts for itself.
func sinceStart(now func() time.Time) func() time.Duration {
	if now == nil {
		return uptime
	}
	start := now()
	return func() time.Duration { return now().Sub(start) }
}

// resume sets the steady clock at the start. It writes in a new database only: a
// device with a full disk must start.
func (s *Store) resume() error {
	now := s.now().UTC().Round(0)
	base := now
	err := s.View(func(tx *Tx) error {
		last, err := GetJSON[mark](tx, Meta, []byte(steadyKey))
		switch off := now.Sub(last.Wall); {
		case err != nil:
			return err
		case off > 0 && off <= longestOff:
			base = last.Steady.Add(off)
		default:
			base = last.Steady
		}
		return nil
	})
	s.steady.set(base, s.o.Elapsed())
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		first := &call{fn: KeepTime}
		return errors.Join(s.transact([]*call{first}), first.err)
	}
	return err
}

func (s *steady) set(base time.Time, elapsed time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base, s.since = base, elapsed
}

// Steady tells the device's age as a time: for windows and retention only.
func (s *Store) Steady() time.Time {
	s.steady.mu.Lock()
	defer s.steady.mu.Unlock()
	passed := max(s.o.Elapsed()-s.steady.since, 0)
	return s.steady.base.Add(passed)
}

// Steady tells the device's age as a time: for windows and retention only.
func (t *Tx) Steady() time.Time { return t.store.Steady() }

// KeepTime writes the steady clock down. Call it from time to time: what has passed
// since is known after a kill only as far as the wall clock can be believed.
func KeepTime(tx *Tx) error {
	return PutJSON(tx, Meta, []byte(steadyKey), mark{Steady: tx.Steady(), Wall: tx.Now()})
}

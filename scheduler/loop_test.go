package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
)

// memory is a Fired that outlives a loop, as the agent's store does. It keeps a
// diary of starts and misses, in the zone of the rule.
type memory struct {
	mu        sync.Mutex
	zone      *time.Location
	since     map[string]time.Time
	keys      map[string]bool // by schedule and local time: started
	diary     []string
	unstarted []Key
	fail      error
	refuse    error // of the next starts
}

// lock is for "defer m.lock()()".
func (m *memory) lock() (unlock func()) {
	m.mu.Lock()
	return m.mu.Unlock
}

// failWith makes the memory fail, or work again with nil.
func (m *memory) failWith(err error) {
	defer m.lock()()
	m.fail = err
}

// take returns the diary and begins a new one.
func (m *memory) take() []string {
	defer m.lock()()
	lines := m.diary
	m.diary = nil
	return lines
}

func (m *memory) note(what, schedule string, due time.Time) {
	m.diary = append(m.diary, what+" "+schedule+" "+due.In(m.zone).Format("01-02 15:04"))
}

func (m *memory) Since(_ context.Context, schedule, rule string, now time.Time) (time.Time, error) {
	defer m.lock()()
	if _, known := m.since[schedule+rule]; !known {
		m.since[schedule+rule] = now
	}
	return m.since[schedule+rule], m.fail
}

func (m *memory) Fire(_ context.Context, key Key) (bool, error) {
	defer m.lock()()
	if _, taken := m.keys[key.Schedule+key.Local]; taken || m.fail != nil {
		return false, m.fail
	}
	m.keys[key.Schedule+key.Local] = false
	m.since[key.Schedule+key.Rule] = key.Due
	m.unstarted = append(m.unstarted, key)
	return true, nil
}

func (m *memory) Started(_ context.Context, key Key) error {
	defer m.lock()()
	if m.fail == nil {
		m.keys[key.Schedule+key.Local] = true
		m.settle(key)
	}
	return m.fail
}

func (m *memory) settle(key Key) {
	m.unstarted = slices.DeleteFunc(m.unstarted, func(k Key) bool { return k == key })
}

func (m *memory) Unstarted(context.Context) ([]Key, error) {
	defer m.lock()()
	return slices.Clone(m.unstarted), m.fail
}

func (m *memory) Missed(_ context.Context, key Key, reason string) error {
	defer m.lock()()
	if m.fail != nil {
		return m.fail
	}
	m.since[key.Schedule+key.Rule] = key.Due
	m.settle(key)
	if !m.keys[key.Schedule+key.Local] {
		m.note(reason, key.Schedule, key.Due)
	}
	return nil
}

func (m *memory) Start(_ context.Context, key Key) error {
	defer m.lock()()
	if m.refuse == nil {
		m.note("start", key.Schedule, key.Due)
	}
	return m.refuse
}

// world is one schedule under a clock of its own, which follows the bubble's
// time and can be set.
type world struct {
	t      *testing.T
	memory *memory
	rule   Rule
	shift  atomic.Int64 // nanoseconds
	stop   func()
}

func newWorld(t *testing.T, expr, zone, now string) *world {
	rule := parse(t, expr, zone)
	w := &world{t: t, rule: rule, memory: &memory{zone: rule.zone, since: map[string]time.Time{}, keys: map[string]bool{}}}
	w.set(now)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.shift.Load())) }

// set puts the wall clock, and nothing else, to a time.
func (w *world) set(now string) {
	at, err := time.ParseInLocation("2006-01-02 15:04", now, w.rule.zone)
	if err != nil {
		w.t.Fatal(err)
	}
	w.shift.Store(int64(time.Until(at)))
}

// on starts a loop; off ends it, and nothing is left running.
func (w *world) on() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error)
	loop := New([]Schedule{{ID: "night", Rule: w.rule}}, w.memory, w.memory.Start, slog.New(slog.DiscardHandler), WithClock(w.now))
	go func() { done <- loop.Run(ctx) }()
	synctest.Wait()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) off() { w.stop() }

// pass lets time go by for loop and clock alike.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if diff := cmp.Diff(lines, w.memory.take()); diff != "" {
		w.t.Errorf("-want +got:\n%s", diff)
	}
	if open, _ := w.memory.Unstarted(w.t.Context()); len(open) > 0 {
		w.t.Errorf("neither started nor missed: %v", open)
	}
}

func TestLoop(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, story := range map[string]func(*testing.T){
		"fires each night": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.pass(2 * day)
			w.off()
			w.want("start night 11-24 02:30", "start night 11-25 02:30")
		},
		"a new schedule owes nothing for the past": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:31")
			w.on()
			w.pass(time.Hour)
			w.off()
			w.want()
		},
		"started again within the same minute, fires once": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:29")
			w.on()
			w.pass(90 * time.Second)
			w.off()
			w.on()
			w.pass(time.Hour)
			w.off()
			w.want("start night 11-23 02:30")
		},
		"off a little too long, within grace: started late": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:28")
			w.on()
			w.off()
			w.pass(4 * time.Minute)
			w.on()
			w.off()
			w.want("start night 11-23 02:30")
		},
		"off over two nights: both reported, once": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.off()
			w.pass(36 * time.Hour)
			w.on()
			w.off()
			w.on()
			w.pass(day)
			w.off()
			w.want("off night 11-24 02:30", "off night 11-25 02:30", "start night 11-26 02:30")
		},
		"asleep: the wall clock goes on, the timer does not": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.pass(time.Minute)
			w.set("2026-11-24 07:00")
			w.pass(longestSleep)
			w.off()
			w.want("off night 11-24 02:30")
		},
		"awake again just after: started within a look": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.pass(time.Minute)
			w.set("2026-11-24 02:31")
			w.pass(longestSleep)
			w.off()
			w.want("start night 11-24 02:30")
		},
		"several due within grace: the last starts": func(t *testing.T) {
			w := newWorld(t, "* * * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.set("2026-11-23 20:03")
			w.pass(longestSleep)
			w.off()
			w.want("superseded night 11-23 20:01", "superseded night 11-23 20:02", "start night 11-23 20:03")
		},
		"clock set back: nothing twice": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:00")
			w.on()
			w.pass(time.Hour)
			w.set("2026-11-23 02:10")
			w.pass(time.Hour)
			w.off()
			w.want("start night 11-23 02:30")
		},
		"clock set back and on again: what started is not called missed": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:00")
			w.on()
			w.pass(time.Hour)
			w.set("2026-11-23 01:00")
			w.pass(longestSleep)
			w.set("2026-11-23 03:00")
			w.pass(longestSleep)
			w.off()
			w.want("start night 11-23 02:30")
		},
		"clock far in the future and back: the next night fires": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.set("2031-01-01 02:31")
			w.pass(longestSleep)
			w.set("2026-11-23 20:02")
			lines := len(w.memory.take())
			w.pass(12 * time.Hour)
			w.off()
			w.want("start night 11-24 02:30")
			if lines > mostMissed+2 {
				t.Errorf("%d lines for one wrong clock", lines)
			}
		},
		"off for months with a rule of every minute: bounded": func(t *testing.T) {
			w := newWorld(t, "* * * * *", "Asia/Shanghai", "2026-01-01 00:00")
			w.on()
			w.off()
			w.set("2026-11-23 20:00")
			w.on()
			w.off()
			if lines := w.memory.take(); len(lines) != mostMissed+1 || lines[0] != "off_many night 11-23 18:20" {
				t.Errorf("%d lines, the first %q", len(lines), lines[0])
			}
		},
		"off for months with a monthly rule: none in silence": func(t *testing.T) {
			w := newWorld(t, "0 3 1 * *", "Asia/Shanghai", "2026-06-15 00:00")
			w.on()
			w.off()
			w.set("2026-11-23 20:00")
			w.on()
			w.off()
			w.want("off_many night 07-01 03:00", "off night 11-01 03:00")
		},
		"spring: the skipped time is not a lost night": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "America/New_York", "2026-03-07 20:00")
			w.on()
			w.pass(2 * day)
			w.off()
			w.want("start night 03-08 03:00", "start night 03-09 02:30")
		},
		"autumn: the repeated hour fires once, also over a restart in between": func(t *testing.T) {
			w := newWorld(t, "30 1 * * *", "America/New_York", "2026-10-31 20:00")
			w.on()
			w.pass(5*time.Hour + 45*time.Minute)
			w.off()
			w.on()
			w.pass(day)
			w.off()
			w.want("start night 11-01 01:30")
		},
		"a refused start is reported with its code": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:29")
			w.memory.refuse = fault.New(fault.Refused, "bot_unknown", "no such bot")
			w.on()
			w.pass(2 * time.Minute)
			w.off()
			w.want("bot_unknown night 11-23 02:30")
		},
		"memory that fails is asked again": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:29")
			w.on()
			w.memory.failWith(errors.New("disk full"))
			w.pass(2 * time.Minute)
			w.want()
			w.memory.failWith(nil)
			w.pass(time.Minute)
			w.off()
			w.want("start night 11-23 02:30")
		},
		"killed between firing and start: reported": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 02:29")
			w.on()
			w.off()
			w.pass(2 * time.Minute)
			due := w.rule.Next(w.now().Add(-5 * time.Minute))
			if fresh, err := w.memory.Fire(t.Context(), keyOf(Schedule{ID: "night", Rule: w.rule}, due)); !fresh || err != nil {
				t.Fatal(fresh, err)
			}
			w.on()
			w.off()
			w.want("interrupted night 11-23 02:30")
		},
		"another rule under the same name owes nothing for the past": func(t *testing.T) {
			w := newWorld(t, "30 2 * * *", "Asia/Shanghai", "2026-11-23 20:00")
			w.on()
			w.off()
			w.pass(day)
			w.rule = parse(t, "30 3 * * *", "Asia/Shanghai")
			w.on()
			w.off()
			w.want()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, story)
		})
	}
}

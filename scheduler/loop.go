package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"branchbot/internal/fault"
)

const (
	// longestSleep bounds the time between two looks at the wall clock: timers follow the
	// monotonic clock, which stands still while a PC sleeps and knows no clock change.
	longestSleep = 30 * time.Second
	// grace is how late a start may come; what is due longer is missed.
	grace = 5 * time.Minute
	// lookBack and mostMissed bound what is reported one by one after a long time off.
	lookBack   = 31 * 24 * time.Hour
	mostMissed = 100
)

// Loop starts what is due. Make it with New, run it once.
type Loop struct {
	schedules []Schedule
	fired     Fired
	start     Start
	logger    *slog.Logger
	now       func() time.Time
	handled   map[string]time.Time // by schedule: every due time up to here is dealt with
}

// Option changes a Loop that is being made.
type Option func(*Loop)

// WithClock replaces the wall clock.
func WithClock(now func() time.Time) Option { return func(l *Loop) { l.now = now } }

// New returns a loop over schedules with distinct IDs.
func New(schedules []Schedule, fired Fired, start Start, logger *slog.Logger, options ...Option) *Loop {
	l := &Loop{schedules: schedules, fired: fired, start: start, logger: logger, now: time.Now, handled: map[string]time.Time{}}
	for _, option := range options {
		option(l)
	}
	return l
}

// Run looks at the clock until ctx ends, and returns nil then. A memory or a
// start that fails is logged and tried again at the next look.
func (l *Loop) Run(ctx context.Context) error {
	clean := false // no fired key waits to be started
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if !clean {
			clean = l.try(ctx, "", l.reportInterrupted)
		}
		for _, s := range l.schedules {
			clean = l.try(ctx, s.ID, func(ctx context.Context) error { return l.look(ctx, s) }) && clean
		}
		timer.Reset(l.pause())
	}
}

// try logs an error and reports whether there was none.
func (l *Loop) try(ctx context.Context, schedule string, act func(context.Context) error) bool {
	err := act(ctx)
	if err != nil && ctx.Err() == nil {
		l.logger.ErrorContext(ctx, "schedule could not be served; trying again", "schedule", schedule, "error", err)
	}
	return err == nil
}

// pause returns how long to wait before the next look.
func (l *Loop) pause() time.Duration {
	now, pause := l.clock(), longestSleep
	for _, s := range l.schedules {
		if next := s.Rule.Next(now); !next.IsZero() {
			pause = min(pause, next.Sub(now))
		}
	}
	return pause
}

// clock returns the wall time without the monotonic reading.
func (l *Loop) clock() time.Time { return l.now().Round(0) }

// reportInterrupted reports what was fired and not started: by an earlier
// program that ended in between, or at a look that failed.
func (l *Loop) reportInterrupted(ctx context.Context) error {
	keys, err := l.fired.Unstarted(ctx)
	if err != nil {
		return fmt.Errorf("read unstarted schedules: %w", err)
	}
	for _, key := range keys {
		if err := l.miss(ctx, key, ReasonInterrupted); err != nil {
			return err
		}
	}
	return nil
}

// look deals with everything that became due since the last look.
func (l *Loop) look(ctx context.Context, s Schedule) error {
	now := l.clock()
	since, err := l.since(ctx, s, now)
	if err != nil {
		return err
	}
	due, more := dueBetween(s.Rule, since, now)
	for i, at := range due {
		if err := l.serve(ctx, keyOf(s, at), verdict(now, at, i == len(due)-1, more && i == 0)); err != nil {
			return err
		}
	}
	l.handled[s.ID] = now
	return nil
}

// since returns from when on to look. A clock set back looks again from where it
// stands now; the fired keys keep what was started from starting again.
func (l *Loop) since(ctx context.Context, s Schedule, now time.Time) (time.Time, error) {
	since, known := l.handled[s.ID]
	if !known {
		stored, err := l.fired.Since(ctx, s.ID, s.Rule.String(), now)
		if err != nil {
			return time.Time{}, fmt.Errorf("read schedule's last time: %w", err)
		}
		since = stored
	}
	if since.After(now) {
		since = now
	}
	return since, nil
}

// dueBetween returns the due times after since up to now, at most mostMissed and
// one before them; more says that the first stands for others left out.
func dueBetween(rule Rule, since, now time.Time) (due []time.Time, more bool) {
	at := rule.Next(since)
	if oldest := now.Add(-lookBack); !at.IsZero() && at.Before(oldest) {
		due, more = append(due, at), true
		at = rule.Next(oldest)
	}
	for ; !at.IsZero() && !at.After(now); at = rule.Next(at) {
		due = append(due, at)
		if len(due) > mostMissed+1 {
			due, more = due[1:], true
		}
	}
	return due, more
}

// verdict returns why a due time is not started, "" when it is.
func verdict(now, due time.Time, last, many bool) string {
	switch {
	case many:
		return ReasonMany
	case now.Sub(due) > grace:
		return ReasonOff
	case !last:
		return ReasonSuperseded
	default:
		return ""
	}
}

// serve starts or reports one due time.
func (l *Loop) serve(ctx context.Context, key Key, missed string) error {
	if missed != "" {
		return l.miss(ctx, key, missed)
	}
	fresh, err := l.fired.Fire(ctx, key)
	if err != nil {
		return fmt.Errorf("record schedule's firing: %w", err)
	}
	if !fresh {
		return nil
	}
	if err := l.start(ctx, key); err != nil {
		return l.miss(ctx, key, fault.Code(err))
	}
	if err := l.fired.Started(ctx, key); err != nil {
		return fmt.Errorf("note schedule's start: %w", err)
	}
	return nil
}

func (l *Loop) miss(ctx context.Context, key Key, reason string) error {
	if err := l.fired.Missed(ctx, key, reason); err != nil {
		return fmt.Errorf("report missed schedule: %w", err)
	}
	return nil
}

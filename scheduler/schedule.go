package scheduler

import (
	"context"
	"time"
)

// Schedule is a rule with the name it is known by.
type Schedule struct {
	ID   string
	Rule Rule
}

// Key names one firing: a schedule at a local date and time. Two instants that
// the clock on the wall shows alike are one firing.
type Key struct {
	Schedule string    `json:"schedule"`
	Rule     string    `json:"rule"`
	Local    string    `json:"local"` // 2026-11-01T01:30:00; with Schedule the identity
	Due      time.Time `json:"due"`
}

func keyOf(s Schedule, due time.Time) Key {
	return Key{Schedule: s.ID, Rule: s.Rule.String(), Local: local(due), Due: due.UTC()}
}

// Fired is the loop's memory. Every method is durable when it returns, and all
// of it in one transaction.
type Fired interface {
	// Since returns from when on due times are owed: the latest Due of Fire or Missed under
	// schedule and rule, or, where the two were never seen together, now, which it remembers.
	Since(ctx context.Context, schedule, rule string, now time.Time) (time.Time, error)
	// Fire writes the key, before the start. It returns false, and writes nothing,
	// when there was such a key already.
	Fire(ctx context.Context, key Key) (bool, error)
	// Started notes that the start of a fired key was accepted. Start may have noted
	// it before, in the transaction that wrote down what it queued.
	Started(ctx context.Context, key Key) error
	// Unstarted returns the fired keys that are neither started nor missed.
	Unstarted(ctx context.Context) ([]Key, error)
	// Missed reports a due time that is not started. It does not take the key: after
	// a clock was put right the same time may come again. A key that was started is not
	// reported. After ReasonInterrupted the run may exist all the same: whoever queues runs can tell.
	Missed(ctx context.Context, key Key, reason string) error
}

// Start queues a run for a fired key and returns. An error makes the due time
// missed, with the error's code as reason.
type Start func(ctx context.Context, key Key) error

// Reasons of Missed; an error of Start adds its own code.
const (
	ReasonOff         = "off"         // the device was off or asleep
	ReasonSuperseded  = "superseded"  // a later due time of the same schedule was started instead
	ReasonInterrupted = "interrupted" // fired, but the program or its memory failed before the start was noted
	ReasonMany        = "off_many"    // off for so long that this one stands for several
)

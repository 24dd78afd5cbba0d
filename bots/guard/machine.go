package guard

import (
	"context"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// Call is one submit as the script asked for it.
type Call struct {
	Submit   *pack.Submit
	Key      []string          // parts of the business key
	Values   map[string]string // label → intended value, as given to form.fill
	Probe    Probe             // nil: none
	Settle   time.Duration     // after the last possible send, before the probe may say "absent"
	Deadline time.Duration     // press → request seen, 15 s by default
	Reply    time.Duration     // request sent → reply, 60 s by default
}

// Result is how a submit ended.
type Result struct {
	State      string // one of the wire.Submit… states
	Receipt    map[string]string
	Reason     string
	Message    string
	Mismatches []wire.Mismatch
	Attempts   int
	GuardMS    float64 // what the guard added
}

// Submit takes one form submission from intent to outcome.
func (p *Proxy) Submit(ctx context.Context, call Call, driver Driver, recorder Recorder) (Result, error) {
	return Result{}, nil
}

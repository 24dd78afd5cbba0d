package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

// Defaults and bounds of a submit.
const (
	defaultDeadline = 15 * time.Second
	defaultReply    = 60 * time.Second
	defaultSettle   = 30 * time.Second
	defaultLookUp   = 10 * time.Minute
	lookAgainFirst  = time.Second // then twice as long each time
	lookAgainMost   = 30 * time.Second
	maxRedirects    = 10
	maxLegs         = 5
)

// Call is one submit as the script asked for it.
type Call struct {
	Submit *pack.Submit
	Key    []string          // parts of the business key
	Values map[string]string // label → intended value, as given to form.fill
	Probe  Probe             // nil: none
	// LookFirst: something may have been sent that this device does not remember.
	LookFirst bool
	Settle    time.Duration // from the last possible send to the look-up; 0: the manifest's, else 30 s
	Deadline  time.Duration // press → request seen; 0: 15 s
	Reply     time.Duration // request sent → reply read; 0: 60 s
	LookUp    time.Duration // how long a probe whose site cannot be reached is asked again; 0: 10 min
}

// Result is how a submit ended.
type Result struct {
	State      string // one of the wire.Submit… states
	Receipt    map[string]string
	Reason     string // code, when refused or in doubt
	Message    string // the site's own, when rejected
	Mismatches []wire.Mismatch
	Attempts   int     // presses
	GuardMS    float64 // what the guard added
}

// Submit takes one form submission from intent to outcome and journals each
// stage before the next one begins. A nil error means that the record is there
// (acknowledged or already_there). Codes: submit_mismatch and rejected
// (business), nothing_sent, not_processed, site_unreachable and
// site_certificate (nothing happened), in_doubt (waiting: a person decides);
// what the recorder and the probe say is passed on.
//
// Once a request may have been sent, cancelling ctx no longer stops it: the
// outcome is learned and recorded first, the doubt too. Only the look-up that
// follows a doubt is cut short (code look_up_stopped): the next runner goes on.
func (p *Proxy) Submit(ctx context.Context, call Call, driver Driver, recorder Recorder) (Result, error) {
	if call.Submit == nil {
		return Result{}, usage("submit_unknown", "submit: the manifest does not describe it")
	}
	s := &submission{proxy: p, call: call.completed(), driver: driver, recorder: recorder}
	attempt, err := p.gate.begin(call.Submit)
	if err != nil {
		return Result{}, err
	}
	s.attempt = attempt
	defer p.gate.retire(attempt)
	if there, err := s.askFirst(ctx); there || err != nil {
		return s.result, err
	}
	if err := recorder.Record(ctx, wire.RecordIntent, s.intent()); err != nil {
		return s.result, fmt.Errorf("record intent of %s: %w", call.Submit.Name, err)
	}
	return s.run(ctx)
}

// Past is what the journal knows of a submit that an earlier runner may have sent.
type Past struct {
	Prepared *wire.Uptime // when its last request was
	Unknown  *wire.Uptime // when the doubt was recorded
	Doubted  bool         // UNKNOWN is recorded
}

// Settle finishes a submit of an earlier runner, which is dead: it waits until
// settle has passed since the last possible send, then asks the probe. What is
// left to wait is measured by the machine's own clock. A run that is stopped
// meanwhile keeps its place: UNKNOWN is recorded before the wait.
func (p *Proxy) Settle(ctx context.Context, call Call, past Past, recorder Recorder) (Result, error) {
	s := &submission{proxy: p, call: call.completed(), recorder: recorder}
	s.result.Reason = "crash"
	s.sent = time.Now().Add(-past.sinceLastSend(s.call.Reply))
	if !past.Doubted {
		if err := recorder.Record(ctx, wire.RecordUnknown, wire.UnknownData{Reason: "crash"}); err != nil {
			return s.result, fmt.Errorf("record the doubt: %w", err)
		}
	}
	return s.settle(ctx)
}

// sinceLastSend is how long ago the last byte may have left, at the least. One
// that was prepared leaves within the time for its reply; once the doubt is
// recorded its sender is dead or has given up.
func (p Past) sinceLastSend(reply time.Duration) time.Duration {
	return max(uptime.Since(p.Unknown), uptime.Since(p.Prepared)-reply)
}

func (c Call) completed() Call {
	c.Settle = firstOf(c.Settle, c.Submit.Settle, defaultSettle)
	c.Deadline = firstOf(c.Deadline, defaultDeadline)
	c.Reply = firstOf(c.Reply, defaultReply)
	c.LookUp = firstOf(c.LookUp, defaultLookUp)
	return c
}

func firstOf(durations ...time.Duration) time.Duration {
	for _, d := range durations {
		if d > 0 {
			return d
		}
	}
	return 0
}

// submission is one Submit under way.
type submission struct {
	proxy    *Proxy
	call     Call
	driver   Driver
	recorder Recorder
	attempt  *attempt
	prepared bool      // a request may have been sent
	sent     time.Time // the last moment at which it may have been
	released func()    // the press is over
	ahead    *ahead    // nil: none
	result   Result
}

// askFirst looks the record up before anything is pressed. After a crash,
// "found" can only be ours.
func (s *submission) askFirst(ctx context.Context) (bool, error) {
	first := s.call.Submit.ProbeFirst
	switch {
	case s.call.Probe == nil && s.call.LookFirst:
		return false, fault.New(fault.Waiting, codeLookFirst, "submit %s was not sent: this device was restored and may have sent it before, and the bot cannot look it up", s.call.Submit.Name).
			WithHint("look in the business system; if it is not there, cancel this run and start it again once head office has returned this device's records")
	case s.call.Probe == nil, first != nil && !*first && !s.call.LookFirst:
		return false, nil
	}
	receipt, found, err := s.probe(ctx)
	if err != nil {
		return false, fmt.Errorf("look up before submit %s: %w", s.call.Submit.Name, err)
	}
	if !found {
		return false, nil
	}
	s.result.State, s.result.Receipt = wire.SubmitAlreadyThere, receipt
	return true, s.record(ctx, wire.RecordOutcome, wire.OutcomeData{
		State: s.result.State, Receipt: receipt,
		Submit: s.call.Submit.Name, Key: BusinessKey(s.call.Key), Fields: len(s.call.Values),
	})
}

func (s *submission) probe(ctx context.Context) (map[string]string, bool, error) {
	defer s.proxy.BeginReading()()
	return s.call.Probe(ctx)
}

// run goes on after the intent is on disk.
func (s *submission) run(ctx context.Context) (Result, error) {
	s.attempt.arm(nil)
	if to, known := s.proxy.origins().siteOf(s.call.Submit.Request.Site); known {
		s.ahead = s.proxy.traffic.openAhead(context.WithoutCancel(ctx), to)
		defer s.ahead.close()
	}
	s.driver.Picture(ctx, "before_submit")
	s.result.Attempts++
	pressed := s.press(ctx)
	defer s.released()
	held, err := s.waitForRequest(ctx, pressed)
	if err != nil {
		return s.refused(ctx, err)
	}
	learn := context.WithoutCancel(ctx) // each stage has its own bound
	answer, err := s.transmit(ctx, learn, held)
	if err != nil && !s.prepared {
		return s.refused(ctx, err)
	}
	return s.conclude(ctx, answer, err)
}

// press presses beside us: a page may block its own press until the reply is
// there. released ends it and waits for it; the driver does one thing at a time.
// A run that is stopped does not end the press by itself: whoever follows the
// reply's redirects still brings the pages that decide.
func (s *submission) press(ctx context.Context) <-chan error {
	ctx, finish := context.WithCancel(context.WithoutCancel(ctx))
	pressed, over := make(chan error, 1), make(chan struct{})
	s.released = func() { finish(); <-over }
	go func() {
		defer close(over)
		if err := s.driver.Press(ctx); err != nil {
			pressed <- err
		}
		close(pressed)
	}()
	return pressed
}

// waitForRequest returns the request that the press made. A press that failed
// ends the wait, unless its request came all the same.
func (s *submission) waitForRequest(ctx context.Context, pressed <-chan error) (*exchange, error) {
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	page := s.page()
	defer context.AfterFunc(page, func() { cancel(fmt.Errorf("press: %w", context.Cause(page))) })()
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		select {
		case err, failed := <-pressed:
			if failed {
				cancel(fmt.Errorf("press: %w", err))
			}
			s.attempt.touch()
		case <-watched.Done():
		}
	}()
	held, err := s.attempt.wait(watched, s.call.Deadline)
	cancel(nil)
	<-relayed
	switch {
	case err == nil:
		return held, nil
	case ctx.Err() != nil:
		return nil, fault.New(fault.Interrupted, "cancelled", "submit %s: stopped before anything was sent: %w", s.call.Submit.Name, context.Cause(ctx))
	case errors.Is(err, errNothingSent):
		err = fmt.Errorf("%w within %s", err, s.call.Deadline)
	}
	if fault.Of(err).Retryable { // a press that failed in a way of its own: a browser that died
		return nil, fmt.Errorf("submit %s: nothing was sent: %w", s.call.Submit.Name, err)
	}
	return nil, fault.New(fault.Application, codeNothing, "submit %s: nothing was sent: %w", s.call.Submit.Name, err).
		WithHint("the page did not make the request that the manifest names; look at the picture taken before the press").Retry()
}

// refused ends a submit of which nothing has left the machine.
func (s *submission) refused(ctx context.Context, why error) (Result, error) {
	ctx = context.WithoutCancel(ctx)
	coded := fault.Of(why)
	s.result.State, s.result.Reason = wire.SubmitRefused, coded.Code
	err := s.record(ctx, wire.RecordOutcome, wire.OutcomeData{State: s.result.State, Reason: coded.Code, Mismatches: s.result.Mismatches})
	s.released()
	s.driver.Abandon(ctx)
	return s.result, errors.Join(why, err)
}

func (s *submission) record(ctx context.Context, kind wire.RecordKind, data any) error {
	if err := s.recorder.Record(ctx, kind, data); err != nil {
		return fmt.Errorf("record %s of submit %s: %w", kind, s.call.Submit.Name, err)
	}
	return nil
}

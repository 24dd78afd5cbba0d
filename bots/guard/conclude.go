package guard

import (
	"context"
	"errors"
	"time"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// conclude turns what came back into an outcome. Called after PREPARED.
func (s *submission) conclude(ctx context.Context, held *reply, err error) (Result, error) {
	if err != nil {
		return s.doubt(ctx, doubtOf(err), 0)
	}
	learn := context.WithoutCancel(ctx)
	seen := judgeReply(s.call.Submit, []*reply{held})
	if seen.state == "" && held.redirect() != nil {
		seen = judgeReply(s.call.Submit, s.follow(learn, held))
	}
	if seen.state == "" {
		return s.doubt(ctx, "unreadable_reply", held.status)
	}
	s.result.State, s.result.Receipt, s.result.Message = seen.state, seen.receipt, seen.message
	err = s.record(learn, wire.RecordOutcome, wire.OutcomeData{
		State: seen.state, Receipt: seen.receipt, Message: seen.message,
		Status: held.status, GuardMS: s.result.GuardMS,
	})
	s.released()
	s.driver.Picture(learn, "after_submit")
	return s.result, errors.Join(err, s.outcomeFault())
}

// doubtOf names why there is no reply.
func doubtOf(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, errNothingSent): // the browser did not go the leg it was sent on
		return "leg_not_sent"
	case fault.HasCode(err, codeMismatch):
		return codeMismatch
	default:
		return "cut"
	}
}

// follow collects the pages that the browser is led to.
func (s *submission) follow(ctx context.Context, held *reply) []*reply {
	ctx, cancel := context.WithTimeout(ctx, s.call.Reply)
	defer cancel()
	trail := []*reply{held}
	for last := held; last.redirect() != nil && len(trail) <= maxRedirects; {
		select {
		case last = <-s.attempt.pages:
		case <-ctx.Done():
			return trail
		case <-s.page().Done():
			return trail
		}
		if last == nil {
			return trail
		}
		trail = append(trail, last)
	}
	return trail
}

// outcomeFault is the error that an outcome ends with, nil for success.
func (s *submission) outcomeFault() error {
	name := s.call.Submit.Name
	switch s.result.State {
	case wire.SubmitRejected:
		if s.result.Message == "" {
			return fault.New(fault.Business, "rejected", "submit %s: the site rejected it", name)
		}
		return fault.New(fault.Business, "rejected", "%s", s.result.Message).
			WithHint("correct the data and run again")
	case wire.SubmitNotProcessed:
		return fault.New(fault.Application, "not_processed", "submit %s: the site did not process it", name).
			WithHint("nothing was done at the site; it can be sent again").Retry()
	}
	return nil
}

// doubt journals that nobody knows, makes sure that nothing more comes, and
// settles it by looking.
func (s *submission) doubt(ctx context.Context, reason string, status int) (Result, error) {
	s.result.Reason = reason
	learn := context.WithoutCancel(ctx)
	err := s.record(learn, wire.RecordUnknown, wire.UnknownData{Reason: reason, Status: status})
	s.released()
	s.driver.Picture(learn, "after_submit")
	s.driver.Abandon(learn)
	if err != nil {
		s.result.State = wire.SubmitInDoubt
		return s.result, err // PREPARED stands: the next runner settles it
	}
	return s.settle(ctx)
}

// settle looks the key up once the site can no longer be working on it.
func (s *submission) settle(ctx context.Context) (Result, error) {
	s.result.State = wire.SubmitInDoubt
	if s.call.Probe == nil {
		return s.result, s.inDoubt(nil)
	}
	if err := pause(ctx, time.Until(s.sent.Add(s.call.Settle))); err != nil {
		return s.result, s.inDoubt(err)
	}
	receipt, found, err := s.lookUp(ctx)
	if err != nil {
		return s.result, s.inDoubt(err)
	}
	state := wire.SubmitNotProcessed
	if found {
		state = wire.SubmitAcknowledged
	}
	if err := s.record(ctx, wire.RecordReconciled, wire.ReconciledData{State: state, Receipt: receipt, By: "probe"}); err != nil {
		return s.result, err
	}
	s.result.State, s.result.Receipt = state, receipt
	return s.result, s.outcomeFault()
}

// lookUp asks the probe, and asks again while its site cannot be reached: a line
// that is down at night is up in the morning. What the probe itself cannot tell
// is not asked twice.
func (s *submission) lookUp(ctx context.Context) (map[string]string, bool, error) {
	over := time.Now().Add(s.call.LookUp)
	for wait := lookAgainFirst; ; wait = min(2*wait, lookAgainMost) {
		receipt, found, err := s.probe(ctx)
		if err == nil || !fault.Of(err).Retryable || time.Now().Add(wait).After(over) {
			return receipt, found, err
		}
		s.proxy.config.Logger.InfoContext(ctx, "look-up is tried again", "submit", s.call.Submit.Name, "in", wait, "error", err)
		if err := pause(ctx, wait); err != nil {
			return nil, false, err
		}
	}
}

// pause waits, unless the run is stopped; then it tells why.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inDoubt is how a submit ends that nobody has looked up. One whose look-up was
// stopped stays open for the next runner.
func (s *submission) inDoubt(why error) error {
	if stopped := fault.Of(why); why != nil && stopped.Class == fault.Interrupted {
		return fault.New(fault.Interrupted, "look_up_stopped", "submit %s may have reached the site; its look-up was stopped: %w", s.call.Submit.Name, why).
			WithHint("the look-up goes on when the run does")
	}
	e := fault.New(fault.Waiting, "in_doubt", "submit %s may have reached the site and its answer is not known (%s)", s.call.Submit.Name, s.result.Reason)
	if why != nil {
		e = fault.New(fault.Waiting, "in_doubt", "submit %s may have reached the site and it could not be looked up: %w", s.call.Submit.Name, why)
	}
	if fault.Of(why) != nil && fault.Of(why).Class == fault.Unreachable {
		return e.WithHint("mend the line to the site, look the record up there, then say with `branchbot answer` whether it was submitted")
	}
	return e.WithHint("a person looks at the site and both pictures, then says with `branchbot answer` whether it was submitted")
}

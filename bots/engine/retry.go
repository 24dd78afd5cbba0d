package engine

import (
	"context"
	"strings"
	"time"

	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

// timerBackoff is the wait between two attempts of a step.
const timerBackoff = "backoff"

// freshBrowser is the attempt from which on repairers begin anew.
const freshBrowser = 2

// retryOf is what the manifest says about the step at the end of a path.
func (r *run) retryOf(path string) pack.Retry {
	name, _, _ := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], "#")
	return r.config.Pack.Manifest.RetryOf(name)
}

// repair lets every module mend what it holds before the next attempt.
func (r *run) repair(failure error, attempt int) {
	for _, module := range r.modules {
		if repairer, ok := module.(modules.Repairer); ok {
			repairer.Repair(r.ctx, failure, max(1, attempt))
		}
	}
}

// notThere is why a step whose submit was looked up is done again.
func notThere(path string) error {
	return fault.New(fault.Application, "not_processed", "step %s: the site has no such record", path).Retry()
}

// pause waits before the next attempt, longer each time. The wait is journaled
// when it begins: after a restart only the rest of it is waited.
func (r *run) pause(path string) error {
	length := r.retryOf(path).Wait(len(r.past.failures[path]))
	key := wire.JournalKey{Step: path, Attempt: r.past.attempts[path], Call: "wait", Ordinal: 1}
	timer := wire.TimerData{Name: timerBackoff, LengthMS: length.Milliseconds()}
	if err := r.append(wire.JournalRecord{Kind: wire.RecordTimer, Key: key}, timer); err != nil {
		return err
	}
	return r.wait(length)
}

// rest waits for what is left of a wait that an earlier runner began, by the
// machine's own clock: never longer than the whole wait, whatever the date says.
func (r *run) rest(path string) error {
	record, waits := r.past.waits[path]
	if !waits {
		return nil
	}
	return r.wait(r.retryOf(path).Wait(len(r.past.failures[path])) - uptime.Since(record.Up))
}

func (r *run) wait(length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// bound gives an attempt its time. The returned function ends that and makes
// step_timeout of the error of an attempt that was cut short.
func (r *run) bound(path string) (inTime func(error) error) {
	outer, limit := r.ctx, r.retryOf(path).Deadline
	late := fault.New(fault.Application, "step_timeout", "step %s took longer than %s", path, limit).
		WithHint("see what it waits for; raise steps.NAME.deadline in pack.yaml if it needs the time").Retry()
	ctx, cancel := context.WithTimeoutCause(outer, limit, late)
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { r.thread.Cancel(context.Cause(ctx).Error()); close(told) })
	r.ctx = ctx
	return func(err error) error {
		defer cancel()
		r.ctx = outer
		if stop() {
			return err
		}
		<-told
		if r.limit != nil || outer.Err() != nil {
			return err
		}
		r.thread.Uncancel()
		if outer.Err() != nil { // in between: its own cancel may have been taken back
			r.thread.Cancel(context.Cause(outer).Error())
			return err
		}
		if class := fault.Of(err); err == nil || class.Class == fault.Business || class.Class == fault.Waiting {
			return err
		}
		return whereError{late, where(err)}
	}
}

// mayBegin refuses anything new in a run that is only to learn what became of
// its submit, once that is known.
func (r *run) mayBegin() error {
	if !r.config.Start.SettleOnly || r.past.openSubmit() != "" {
		return nil
	}
	return fault.New(fault.Interrupted, "cancelled", "the run was told to end; what it had sent was looked up first")
}

package engine

import (
	"context"
	"fmt"
	"slices"

	"branchbot/bots/modules"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// scope is one attempt of one step, or the script outside any step (path "").
type scope struct {
	run     *run
	path    string
	attempt int
	seen    map[string]int // calls, and names of steps as "step NAME"
	ends    []func()
	ended   bool
	claimed bool
	receipt map[string]string // of the submit
}

var _ modules.Scope = (*scope)(nil)

// Path is the names of the nested steps, joined with "/".
func (s *scope) Path() string { return s.path }

// Attempt counts from 1.
func (s *scope) Attempt() int { return s.attempt }

// Open is false once the attempt has ended.
func (s *scope) Open() bool { return !s.ended }

// OnEnd runs fn when the attempt ends.
func (s *scope) OnEnd(fn func()) { s.ends = append(s.ends, fn) }

func (s *scope) end() {
	s.ended = true
	for _, fn := range slices.Backward(s.ends) {
		fn()
	}
	s.ends = nil
}

// count numbers what comes again in this attempt, from 1.
func (s *scope) count(what string) int {
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	s.seen[what]++
	return s.seen[what]
}

// next is the place of the next call of a kind.
func (s *scope) next(call string) wire.JournalKey {
	return wire.JournalKey{Step: s.path, Attempt: s.attempt, Call: call, Ordinal: s.count(call)}
}

// child is the path of a step that begins here.
func (s *scope) child(name string) string {
	path := name
	if n := s.count(stepCall + " " + name); n > 1 {
		path = fmt.Sprintf("%s#%d", name, n)
	}
	if s.path != "" {
		path = s.path + "/" + path
	}
	return path
}

// Record journals one record of this step's submit. It is written even while
// the run is being cancelled.
func (s *scope) Record(_ context.Context, kind wire.RecordKind, data any) error {
	if s.path == "" {
		return outsideStep()
	}
	key := wire.JournalKey{Step: s.path, Attempt: s.attempt, Call: "submit", Ordinal: 1}
	record := wire.JournalRecord{Kind: kind, Key: key}
	if kind == wire.RecordIntent {
		var err error
		if record.Args, err = s.run.past.intent(s.path, data); err != nil {
			return err
		}
	}
	return s.run.append(record, data)
}

// History is what Record wrote for this step, in all attempts.
func (s *scope) History() []wire.JournalRecord { return slices.Clone(s.run.past.submits[s.path]) }

// ClaimSubmit allows one submit in a step, and none in a login or a look-up.
func (s *scope) ClaimSubmit() error {
	switch {
	case s.path == "":
		return outsideStep()
	case s.run.inside > 0:
		return fault.New(fault.Refused, "submit_in_callback", "a login or a probe may not submit").
			WithHint("a probe only reads")
	case s.claimed:
		return fault.New(fault.Application, "second_submit", "step %s submits a second time", s.path).
			WithHint("give each submit a step of its own")
	}
	s.claimed = true
	return nil
}

// Submitted hands the receipt over as the step's value.
func (s *scope) Submitted(receipt map[string]string) {
	if receipt == nil {
		receipt = map[string]string{}
	}
	s.receipt = receipt
}

func outsideStep() error {
	return fault.New(fault.Application, "submit_outside_step", "a submit stands outside any step").
		WithHint(`put it into step("name", function)`)
}

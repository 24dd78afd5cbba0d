//go:build linux

package guard

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

// offline is a proxy for look-ups that need no network, so that time can be simulated.
func offline() *Proxy {
	return &Proxy{gate: newGate(nil), config: Config{Logger: slog.New(slog.DiscardHandler)}}
}

func ago(d time.Duration) *wire.Uptime {
	at := uptime.Now()
	at.MS -= d.Milliseconds()
	return at
}

func none(context.Context) (map[string]string, bool, error) { return nil, false, nil }

var errDown error = fault.New(fault.Unreachable, "site_unreachable", "the line is down").Retry()

// The wait goes on where it was, by the machine's own clock: what the date says
// plays no part.
func TestOnlyTheRestOfSettleIsWaited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		past Past
		want time.Duration
	}{
		{"nothing is known", Past{}, 30 * time.Second},
		{"prepared just now", Past{Prepared: ago(0)}, 30 * time.Second},
		{"prepared before the longest wait for a reply", Past{Prepared: ago(80 * time.Second)}, 10 * time.Second},
		{"prepared long ago", Past{Prepared: ago(time.Hour)}, 0},
		{"doubted just now", Past{Prepared: ago(time.Minute), Unknown: ago(0), Doubted: true}, 30 * time.Second},
		{"doubted, then stopped", Past{Prepared: ago(21 * time.Second), Unknown: ago(20 * time.Second), Doubted: true}, 10 * time.Second},
		{"a doubt of an older version", Past{Doubted: true}, 30 * time.Second},
		{"ahead of this machine's clock", Past{Prepared: ago(-time.Hour), Unknown: ago(-time.Hour), Doubted: true}, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			call, began := Call{Submit: openSubmit(), Probe: none}, time.Now()
			_, err := offline().Settle(t.Context(), call, c.past, &journal{})
			if waited := time.Since(began); waited > c.want || waited < c.want-5*time.Second || fault.Code(err) != "not_processed" {
				t.Errorf("%s: waited %s, want %s: %v", c.name, waited, c.want, err)
			}
		})
	}
}

// A line that is down is asked again, with longer pauses, and not for ever.
func TestLookUpIsTriedAgain(t *testing.T) {
	t.Parallel()
	unsure := fault.New(fault.Application, "unsure", "two records are listed")
	for _, c := range []struct {
		name        string
		fails       int
		with        error
		code, hint  string
		asked       int
		least, most time.Duration
	}{
		{"up again at once", 1, errDown, "", "", 2, time.Second, time.Second},
		{"up again after a while", 8, errDown, "", "", 9, 2 * time.Minute, 3 * time.Minute},
		{"down for long", 1 << 30, errDown, "in_doubt", "mend the line", 0, 9 * time.Minute, 10 * time.Minute},
		{"a probe that cannot tell", 1 << 30, unsure, "in_doubt", "a person looks", 1, 0, 0},
		{"a script error", 1 << 30, errors.New("index out of range"), "in_doubt", "a person looks", 1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked, records := 0, &journal{}
			call := Call{Submit: openSubmit(), Probe: func(context.Context) (map[string]string, bool, error) {
				if asked++; asked <= c.fails {
					return nil, false, c.with
				}
				return map[string]string{"account_no": "1"}, true, nil
			}}
			began := time.Now()
			_, err := offline().Settle(t.Context(), call, Past{Unknown: ago(time.Hour), Doubted: true}, records)
			if took := time.Since(began); took < c.least || took > c.most || c.asked > 0 && asked != c.asked {
				t.Errorf("%s: asked %d times in %s", c.name, asked, took)
			}
			if fault.Code(err) != c.code || c.code != "" && (!strings.Contains(fault.Of(err).Hint, c.hint) || fault.Of(err).Class != fault.Waiting) {
				t.Errorf("%s: %v, hint %q", c.name, err, fault.Of(err).Hint)
			}
			if want := map[bool]string{true: "reconciled"}[c.code == ""]; records.line() != want {
				t.Errorf("%s: journal %q, want %q", c.name, records.line(), want)
			}
		})
	}
}

// A run that is stopped while it waits keeps its place: the doubt is on disk, and
// the next runner goes on from there.
func TestStoppedLookUpKeepsItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopping := fault.New(fault.Interrupted, "agent_stopping", "the agent is stopping")
		down := func(context.Context) (map[string]string, bool, error) { return nil, false, errDown }
		for _, c := range []struct {
			probe Probe
			past  Past
			line  string
		}{
			{none, Past{}, "unknown"},                                // while it waits for the site
			{down, Past{Unknown: ago(time.Hour), Doubted: true}, ""}, // between two look-ups
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			records := &journal{}
			time.AfterFunc(16*time.Second, func() { cancel(stopping) })
			_, err := offline().Settle(ctx, Call{Submit: openSubmit(), Probe: c.probe}, c.past, records)
			if got := fault.Of(err); got.Code != "look_up_stopped" || got.Class != fault.Interrupted || !errors.Is(err, stopping) {
				t.Errorf("got %v", err)
			}
			if records.line() != c.line {
				t.Errorf("journal %q, want %q", records.line(), c.line)
			}
			cancel(nil)
		}
	})
}

// On a restored device every submit is looked up first, and one that cannot be is
// not sent.
func TestLookFirst(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, plainHTTP), openSubmit()
	submit.ProbeFirst = new(bool) // false: it would not ask
	p := openProxy(t, site, manifestOf(submit))
	pressed := 0
	driver := &hand{press: func(context.Context) error { pressed++; return errors.New("pressed") }}
	call := callOf(submit)
	call.LookFirst = true
	call.Probe = func(context.Context) (map[string]string, bool, error) {
		return map[string]string{"account_no": "6222-1"}, true, nil
	}
	records := &journal{}
	if result, err := p.Submit(t.Context(), call, driver, records); err != nil || result.State != wire.SubmitAlreadyThere || records.line() != "outcome" {
		t.Errorf("found: %+v %v %s", result, err, records.line())
	}
	call.Probe = func(context.Context) (map[string]string, bool, error) { return nil, false, errDown }
	if _, err := p.Submit(t.Context(), call, driver, records); fault.Code(err) != "site_unreachable" || !fault.Of(err).Retryable {
		t.Errorf("cannot look: %v", err)
	}
	call.Probe = nil
	if _, err := p.Submit(t.Context(), call, driver, records); fault.Code(err) != "look_first" || fault.Of(err).Class != fault.Waiting {
		t.Errorf("no probe: %v", err)
	}
	if pressed != 0 || records.line() != "outcome" {
		t.Errorf("pressed %d times, journal %s", pressed, records.line())
	}
}

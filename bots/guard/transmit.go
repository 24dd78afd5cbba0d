package guard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// transmit sends the held request, and each listed leg that a 307 or 308 leads
// to, once. The browser gets its answer before we judge it.
func (s *submission) transmit(ctx, learn context.Context, held *exchange) (*reply, error) {
	for leg := 0; ; leg++ {
		answer, err := s.sendOnce(ctx, learn, held)
		if err != nil {
			return nil, err
		}
		if !answer.repeats() {
			s.proxy.traffic.pending.awaitRefresh(answer.header)
			s.attempt.want(answer.redirect()) // before the browser hears of it
			held.answer(answer)
			return answer, nil
		}
		if leg == maxLegs || !s.legListed(held.request.Method, answer) {
			s.proxy.gate.note(held.request.Request, codeRedirect)
			held.answer(page(http.StatusForbidden, codeRedirect))
			return answer, nil
		}
		s.attempt.arm(answer.location())
		held.answer(answer)
		if held, err = s.attempt.wait(learn, s.call.Deadline); err != nil {
			return nil, err
		}
	}
}

func (s *submission) legListed(method string, answer *reply) bool {
	next := answer.location()
	if next == nil {
		return false
	}
	to, known := s.proxy.origins()[origin(next.Scheme, next.Host)]
	for _, leg := range s.call.Submit.Legs {
		if known && leg.Method == method && pathFits(leg.Path, next.Path) && to.is(leg.Site) {
			return true
		}
	}
	return false
}

// sendOnce compares, journals that the request may have been sent, and sends it
// on a connection of its own: one round trip, whatever happens.
func (s *submission) sendOnce(ctx, learn context.Context, held *exchange) (*reply, error) {
	q := held.request
	if err := s.vet(q); err != nil {
		s.proxy.gate.note(q.Request, codeMismatch)
		held.answer(page(http.StatusForbidden, codeMismatch))
		return nil, err
	}
	conn, err := s.connect(learn, q.to)
	if err != nil {
		held.answer(page(http.StatusBadGateway, fault.Code(err)))
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it served its one request
	if err := s.prepare(ctx, q); err != nil {
		held.answer(page(http.StatusForbidden, codeJournal))
		return nil, err
	}
	bounded, cancel := context.WithTimeout(learn, s.call.Reply)
	defer cancel()
	begun := time.Now()
	answer, err := fetch(bounded, conn, q)
	s.sent = time.Now()
	if err != nil {
		// A cut would make Chromium repeat; it would get nothing, but six times.
		held.answer(page(http.StatusGatewayTimeout, codeNoReply))
		return nil, err
	}
	s.result.GuardMS += float64(begun.Sub(q.received).Microseconds()+time.Since(s.sent).Microseconds()) / 1000
	return answer, nil
}

// connect gives a connection that has carried nothing and will carry one request.
func (s *submission) connect(ctx context.Context, to target) (*http.ClientConn, error) {
	if conn := s.ahead.take(to); conn != nil {
		return conn, nil
	}
	return s.proxy.traffic.dial(ctx, to) // the transport bounds it
}

// vet refuses a request that is not what was meant.
func (s *submission) vet(q *request) error {
	if s.call.Submit.Verify == "page" {
		return nil // the site encrypts in the page: the record says so
	}
	found := compare(s.call.Submit, s.call.Values, s.proxy.config.Strict, q)
	if len(found) == 0 {
		return nil
	}
	s.result.Mismatches = found
	return mismatchFault(s.call.Submit.Name, found)
}

func mismatchFault(submit string, found []wire.Mismatch) error {
	var parts []string
	for _, m := range found[:min(len(found), 5)] {
		name := m.Field
		if name == "" {
			name = m.Path
		}
		parts = append(parts, fmt.Sprintf("%s: %s (meant %q, would have sent %q)", name, m.Code, m.Meant, m.Actual))
	}
	return fault.New(fault.Business, codeMismatch, "submit %s was stopped: the page would not have sent what was meant: %s", submit, strings.Join(parts, "; ")).
		WithHint("nothing was sent; check the named fields on the page and in the manifest").WithFact("field", parts[0])
}

// prepare journals that from now on the request may have been sent. The next
// leg of a request that has been sent is not stopped by a cancelled run.
func (s *submission) prepare(ctx context.Context, q *request) error {
	if s.prepared {
		ctx = context.WithoutCancel(ctx)
	}
	if ctx.Err() != nil {
		return fault.New(fault.Interrupted, "cancelled", "stopped before anything was sent: %w", context.Cause(ctx))
	}
	data := wire.PreparedData{Method: q.Method, URL: q.URL.String(), Body: wire.Digest(q.body), Bytes: int64(len(q.body))}
	if err := s.recorder.Record(context.WithoutCancel(ctx), wire.RecordPrepared, data); err != nil {
		return fmt.Errorf("record that the request may be sent: %w", err)
	}
	s.prepared = true
	return nil
}

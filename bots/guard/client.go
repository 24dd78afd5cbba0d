package guard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"branchbot/internal/fault"
)

// Road is the run's own way to its sites, without a browser: each request is
// judged like any of a browser's, and one that a submit waits for goes through
// the machine. Nothing is ever repeated by it. Replies are read whole, unpacked
// and in UTF-8; most bounds their bytes, 0 at 64 MB.
// Codes: those of a refusal (class refused), site_unreachable, site_certificate,
// reply_too_large, reply_unreadable.
func (p *Proxy) Road(most int64) http.RoundTripper {
	if most <= 0 {
		most = maxBody
	}
	return &road{proxy: p, most: most}
}

type road struct {
	proxy *Proxy
	most  int64
}

// RoundTrip implements http.RoundTripper.
func (o *road) RoundTrip(r *http.Request) (*http.Response, error) {
	p := o.proxy
	visit, ok := p.traffic.pending.enter()
	if !ok {
		return nil, refusedFault(r, codeOver)
	}
	defer visit.exit()
	to, known := p.origins()[origin(r.URL.Scheme, r.URL.Host)]
	if !known {
		p.gate.note(r, codeOrigin)
		return nil, refusedFault(r, codeOrigin)
	}
	visit.begins()
	own := r.Clone(r.Context()) // a RoundTripper leaves its request as it is
	own.Host, own.URL.Host = to.host, to.host
	q := newRequest(own, to)
	q.most = o.most
	answer, err := p.exchange(r.Context(), q)
	if err != nil {
		return nil, err
	}
	res, err := answer.response(r)
	if errors.Is(err, errTooLarge) {
		return nil, tooLarge(q)
	}
	return res, err
}

func tooLarge(q *request) error {
	return fault.New(fault.Application, "reply_too_large", "%s answers %s with more than %d KiB", q.to, q.URL.Path, q.most>>10).
		WithHint("ask for less: pages, or fewer fields")
}

// exchange lets a request leave in the way the gate says and reads the reply.
func (p *Proxy) exchange(ctx context.Context, q *request) (*reply, error) {
	v := p.gate.judge(q)
	if v.end != nil {
		defer v.end()
	}
	switch {
	case v.code != "":
		p.gate.note(q.Request, v.code)
		return nil, refusedFault(q.Request, v.code)
	case v.exchange != nil:
		select {
		case <-v.exchange.done:
			return v.exchange.reply, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	answer, err := p.pass(ctx, q, v)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case fault.Code(err) != fault.CodeInternal:
		return nil, err
	case errors.Is(err, errTooLarge):
		return nil, tooLarge(q)
	}
	return nil, siteFault(q.to, err)
}

// pass carries what is no submit of its own.
func (p *Proxy) pass(ctx context.Context, q *request, v verdict) (*reply, error) {
	if err := q.load(); err != nil {
		return nil, err
	}
	if v.follow != nil {
		return p.follow(ctx, q, v.follow)
	}
	if safe(q.Method) {
		return fetch(ctx, p.traffic.transport, q)
	}
	conn, err := p.traffic.dial(ctx, q.to) // a write is sent once, listed or not
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it served its one request
	return fetch(ctx, conn, q)
}

// response is the reply as net/http hands it out.
func (r *reply) response(to *http.Request) (*http.Response, error) {
	text, err := r.text()
	if err != nil {
		return nil, fault.New(fault.Application, "reply_unreadable", "the reply of %s cannot be unpacked: %w", to.URL.Host, err)
	}
	header := r.header.Clone()
	header.Del("Content-Encoding")
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: to,
	}, nil
}

func refusedFault(r *http.Request, code string) *fault.Error {
	return fault.New(fault.Refused, code, "the run may not send %s %s to %s", r.Method, r.URL.Path, r.URL.Host).
		WithHint("name the site under capabilities.sites, or list the request in pack.yaml: harmless or submits")
}

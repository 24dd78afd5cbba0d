package guard

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"branchbot/internal/fault"
)

// reply is an answer that was read whole: it decides a submit, and it is given
// to the browser as often as it asks.
type reply struct {
	url    *url.URL // of the request that it answers
	status int
	header http.Header
	body   []byte // as on the wire
	most   int64  // bytes of it, unpacked
}

// page is our own plain answer that names a code.
func page(status int, code string) *reply {
	text := html.EscapeString(code)
	body := "<!doctype html><meta charset=utf-8><title>branchbot: " + text + "</title>\n<p>branchbot: <code>" + text + "</code></p>\n"
	return &reply{status: status, body: []byte(body), header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"}, "X-Branchbot-Code": {code},
	}}
}

// writeTo answers the browser, adding nothing to what the site said. An error
// means that the browser has gone: that is no concern of the submit.
func (r *reply) writeTo(w http.ResponseWriter) {
	header := w.Header()
	header["Date"] = nil // net/http would add its own
	header["Content-Type"] = nil
	for name, values := range r.header {
		header[name] = slices.Clone(values)
	}
	if r.status != http.StatusNoContent && r.status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

// redirect is where a browser goes next with GET; nil when it stays.
func (r *reply) redirect() *url.URL {
	if r.status != http.StatusMovedPermanently && r.status != http.StatusFound && r.status != http.StatusSeeOther {
		return nil
	}
	return r.location()
}

func (r *reply) location() *url.URL {
	text := r.header.Get("Location")
	if text == "" || r.url == nil {
		return nil
	}
	next, err := r.url.Parse(text)
	if err != nil {
		return nil
	}
	next.Fragment = ""
	return next
}

// repeats reports a redirect that makes the browser send its body again.
func (r *reply) repeats() bool {
	return r.status == http.StatusTemporaryRedirect || r.status == http.StatusPermanentRedirect
}

// text is the body unpacked and readable.
func (r *reply) text() (string, error) {
	switch encoding := strings.ToLower(r.header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return readable(string(r.body)), nil
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			return "", err
		}
		body, err := readWhole(unpacked, 0, max(r.most, int64(len(r.body))))
		return readable(string(body)), err
	default:
		return "", fmt.Errorf("content encoding %s", encoding)
	}
}

// roundTripper is one connection, or a pool of them.
type roundTripper interface {
	RoundTrip(*http.Request) (*http.Response, error)
}

// fetch sends a request with a body that was read whole and reads the reply
// whole. On a ClientConn that is one sending and never a second one.
func fetch(ctx context.Context, conn roundTripper, q *request) (*reply, error) {
	out := (&http.Request{
		Method: q.Method, URL: q.outgoingURL(), Host: q.Host, Header: endToEnd(q.Header),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(q.body)),
	}).WithContext(ctx)
	if len(q.body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(q.body))
	}
	onlyReadableEncodings(out.Header)
	if _, named := out.Header["User-Agent"]; !named {
		out.Header["User-Agent"] = nil // net/http would add its own
	}
	res, err := conn.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	body, err := readWhole(res.Body, res.ContentLength, q.most)
	if err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	header := endToEnd(res.Header)
	header.Del("Content-Length")
	if res.StatusCode == http.StatusUnauthorized {
		header.Del("Www-Authenticate") // Chromium would answer a known realm silently
	}
	return &reply{url: q.URL, status: res.StatusCode, header: header, body: body, most: q.most}, nil
}

// onlyReadableEncodings keeps the site from packing its reply in a way that we
// could not look into.
func onlyReadableEncodings(header http.Header) {
	if strings.Contains(header.Get("Accept-Encoding"), "gzip") {
		header.Set("Accept-Encoding", "gzip")
		return
	}
	header.Set("Accept-Encoding", "identity")
}

// dial opens one verified connection of its own to a site.
func (t *traffic) dial(ctx context.Context, to target) (*http.ClientConn, error) {
	conn, err := t.transport.NewClientConn(ctx, to.scheme, to.dial)
	if err != nil {
		return nil, siteFault(to, err)
	}
	return conn, nil
}

// siteFault says why a site could not be reached.
func siteFault(to target, err error) error {
	var (
		invalid     *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		wrongName   x509.HostnameError
		certInvalid x509.CertificateInvalidError
	)
	if errors.As(err, &invalid) || errors.As(err, &unknown) || errors.As(err, &wrongName) || errors.As(err, &certInvalid) {
		return fault.New(fault.Application, codeCert, "site %s: its certificate cannot be verified: %w", to, err).
			WithHint("check the site's certificate, this computer's clock and the bank's CA in the configuration")
	}
	return fault.New(fault.Unreachable, codeDown, "site %s cannot be reached: %w", to, err).
		WithHint("check that the site is up and that this computer reaches it").Retry()
}

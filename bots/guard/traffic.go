package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"branchbot/internal/fault"
)

// traffic carries what is not a submit: streamed, unbuffered, unchanged.
type traffic struct {
	transport *http.Transport
	relay     *httputil.ReverseProxy // over pooled connections
	single    *httputil.ReverseProxy // one connection per request, never repeated
	pending   *pending
}

func newTraffic(c Config) *traffic {
	t := &traffic{pending: newPending(), transport: &http.Transport{
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // what the browser accepts passes unchanged
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
	}}
	if c.Upstream != nil {
		t.transport.Proxy = http.ProxyURL(c.Upstream)
	}
	log := slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug)
	t.relay = &httputil.ReverseProxy{Transport: t.transport, Rewrite: restore, FlushInterval: -1, ModifyResponse: inspect, ErrorHandler: failPage, ErrorLog: log}
	single := *t.relay
	single.Transport = oneShot{t}
	t.single = &single
	return t
}

func (t *traffic) close() {
	t.pending.close()
	t.transport.CloseIdleConnections()
}

// passage is what the relay must know of a request.
type passage struct {
	request *request
	visit   *visit
	socket  func(reason string) // told when a page sends on a socket that may not
}

type passageKey struct{}

// carry relays one request and its reply.
func (t *traffic) carry(w http.ResponseWriter, way *passage, once bool) {
	w.Header()["Date"] = nil // net/http would add its own
	w.Header()["Content-Type"] = nil
	r := way.request.Request
	r = r.WithContext(context.WithValue(r.Context(), passageKey{}, way))
	if once {
		t.single.ServeHTTP(w, r)
		return
	}
	t.relay.ServeHTTP(w, r)
}

// restore sends the target just as the browser wrote it: ReverseProxy tidies
// paths and drops parts of a query that it cannot parse.
func restore(pr *httputil.ProxyRequest) {
	way, ok := pr.In.Context().Value(passageKey{}).(*passage)
	if !ok {
		return
	}
	pr.Out.URL = way.request.outgoingURL()
	pr.Out.Host = pr.In.Host
	if way.socket != nil {
		pr.Out.Header.Del("Sec-Websocket-Extensions") // frames must stay readable
	}
}

// inspect marks replies that stay open, and stands between a page and its socket.
func inspect(res *http.Response) error {
	way, ok := res.Request.Context().Value(passageKey{}).(*passage)
	if !ok {
		return nil
	}
	way.visit.pending.awaitRefresh(res.Header)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		way.visit.streams()
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		way.visit.streams()
		site, ok := res.Body.(io.ReadWriteCloser)
		if !ok || way.socket == nil {
			return errors.New("switched protocols without being asked")
		}
		res.Body = &listenOnly{ReadWriteCloser: site, stopped: way.socket}
	}
	return nil
}

// failPage answers for a site that did not.
func failPage(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // the browser has gone, or the run is over
		page(http.StatusServiceUnavailable, codeOver).writeTo(w)
		return
	}
	to := target{host: r.Host}
	page(http.StatusBadGateway, fault.Code(siteFault(to, err))).writeTo(w)
}

// oneShot sends each request on a connection of its own. Unlike a Transport it
// never repeats one, whatever happens to the connection.
type oneShot struct{ traffic *traffic }

// RoundTrip implements http.RoundTripper.
func (o oneShot) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, err := o.traffic.transport.NewClientConn(r.Context(), r.URL.Scheme, address(r.URL.Scheme, r.URL.Host))
	if err != nil {
		return nil, err
	}
	res, err := conn.RoundTrip(r)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	res.Body = &lastBody{ReadCloser: res.Body, conn: conn}
	return res, nil
}

// lastBody closes its connection with itself.
type lastBody struct {
	io.ReadCloser
	conn *http.ClientConn
}

// Close implements io.Closer.
func (b *lastBody) Close() error { return errors.Join(b.ReadCloser.Close(), b.conn.Close()) }

// forward lets a request leave in the way the gate says.
func (p *Proxy) forward(w http.ResponseWriter, q *request, visit *visit) {
	way := &passage{request: q, visit: visit}
	if q.Header.Get("Upgrade") != "" {
		if !p.gate.socketListed(q) {
			p.refuse(w, q.Request, http.StatusForbidden, codeSocket)
			return
		}
		way.socket = func(reason string) { p.gate.note(q.Request, reason) }
		p.traffic.carry(w, way, false)
		return
	}
	switch v := p.gate.judge(q); {
	case v.code != "":
		p.refuse(w, q.Request, http.StatusForbidden, v.code)
	case v.exchange != nil:
		v.exchange.serve(q.Context(), w)
	case v.follow != nil:
		p.capture(w, q, v.follow)
	default:
		if v.end != nil {
			defer v.end()
		}
		p.traffic.carry(w, way, v.once)
	}
}

// capture reads a page that decides a submit, and passes it on.
func (p *Proxy) capture(w http.ResponseWriter, q *request, a *attempt) {
	seen, err := p.follow(q.Context(), q, a)
	if err != nil {
		failPage(w, q.Request, err)
		return
	}
	seen.writeTo(w)
}

// follow reads a page that decides a submit and shows it to the machine.
func (p *Proxy) follow(ctx context.Context, q *request, a *attempt) (*reply, error) {
	q.Header.Del("If-None-Match") // "not modified" would tell nothing
	q.Header.Del("If-Modified-Since")
	q.Header.Del("Range")
	seen, err := fetch(ctx, p.traffic.transport, q)
	if err != nil {
		a.arrive(nil)
		return nil, err
	}
	p.traffic.pending.awaitRefresh(seen.header)
	a.want(seen.redirect()) // before the browser hears of it
	a.arrive(seen)
	return seen, nil
}

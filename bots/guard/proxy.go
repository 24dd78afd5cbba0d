package guard

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// Config says what one run's proxy serves and what it lets through.
type Config struct {
	Manifest *pack.Manifest
	Origins  map[string]string // site name → origin (https://host[:port] or http://…)
	// Strict is for signed and embedded packs: every leaf of a payload must be
	// declared. Without it labels are matched by name, else by unique value.
	Strict   bool
	Roots    *x509.CertPool // nil: the system's
	Upstream *url.URL       // the bank's CONNECT proxy, nil for none
	Logger   *slog.Logger
}

// Proxy is the run's loopback proxy: the only road from its browser to the
// sites. It ends TLS with a key of its own, offers the browser HTTP/1.1 only
// (over h2 Chromium loses POSTs in fresh contexts before they reach us), and
// talks to each site in whatever the site prefers.
type Proxy struct {
	config  Config
	bound   atomic.Pointer[origins]
	gate    *gate
	traffic *traffic
	door    *door

	identity *identity
	server   *http.Server
	outer    net.Listener
	inner    *tunnels
	stop     context.CancelFunc
	serving  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// Open starts the proxy on a free loopback port. Its context is the parent of
// all traffic; Close ends it.
func Open(ctx context.Context, c Config) (*Proxy, error) {
	origins, err := parseOrigins(c.Origins)
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	identity, err := newIdentity()
	if err != nil {
		return nil, fmt.Errorf("make the proxy's key: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the run's proxy: %w", err)
	}
	p := &Proxy{config: c, gate: newGate(c.Manifest), identity: identity, door: &door{pgid: nobody}}
	p.bound.Store(&origins)
	p.traffic = newTraffic(c)
	p.outer, p.inner = &guardedListener{Listener: listener, door: p.door}, newTunnels(listener.Addr())
	p.serve(ctx)
	return p, nil
}

func (p *Proxy) serve(ctx context.Context) {
	base, stop := context.WithCancel(ctx)
	p.stop = stop
	p.server = &http.Server{
		Handler:           http.HandlerFunc(p.handle),
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    1 << 20,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withTunnel,
		ErrorLog:          slog.NewLogLogger(p.config.Logger.Handler(), slog.LevelDebug),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
	}
	for _, listener := range []net.Listener{p.outer, p.inner} {
		p.serving.Go(func() { p.report(p.server.Serve(listener)) })
	}
}

func (p *Proxy) report(err error) {
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		p.config.Logger.Error("the run's proxy ended", "error", err)
	}
}

// Bind makes one more site known, after Open: of a pack that may write whole
// URLs. It must not be called by two goroutines at once.
func (p *Proxy) Bind(site, to string) error {
	more, err := p.origins().with(site, to)
	if err != nil {
		return err
	}
	p.bound.Store(&more)
	return nil
}

func (p *Proxy) origins() origins { return *p.bound.Load() }

// Address is "127.0.0.1:port", for --proxy-server. Before somebody asks for it the
// proxy takes no connection: a run without a browser has no open port.
func (p *Proxy) Address() string {
	p.door.unlock()
	return p.outer.Addr().String()
}

// SPKI is the base64 SHA-256 of the run's leaf key, for
// --ignore-certificate-errors-spki-list.
func (p *Proxy) SPKI() string { return p.identity.spki }

// Admit lets only sockets of process group pgid connect from now on, and cuts
// those of others that are open. Before it is called, any local process may
// connect (and read what needs no sign-in). Enforced on Linux only.
func (p *Proxy) Admit(pgid int) { p.door.admit(pgid) }

// Refusals lists what was refused so far, the latest thousand.
func (p *Proxy) Refusals() []Refusal { return p.gate.list() }

// Quiet returns when no request has been pending for d; quiet that has already
// passed counts. Event streams and sockets do not count as pending.
func (p *Proxy) Quiet(ctx context.Context, d time.Duration) error {
	return p.traffic.pending.quiet(ctx, d)
}

// Requests counts the requests to sites that have begun so far.
func (p *Proxy) Requests() int { return p.traffic.pending.count() }

// Began returns once more requests than count have begun.
func (p *Proxy) Began(ctx context.Context, count int) error {
	return p.traffic.pending.exceeds(ctx, count)
}

// BeginLogin lets the named login's request leave until end is called.
func (p *Proxy) BeginLogin(name string) (end func(), err error) { return p.gate.beginLogin(name) }

// BeginReading lets only reads leave (GET, HEAD, OPTIONS, harmless requests and
// a login that is open) until end is called.
func (p *Proxy) BeginReading() (end func()) { return p.gate.beginReading() }

// Close ends the proxy and waits for its goroutines. It may be called twice.
func (p *Proxy) Close() error {
	p.closing.Do(func() {
		p.stop()
		p.closeErr = errors.Join(p.server.Close(), p.inner.Close())
		p.serving.Wait()
		p.traffic.close()
	})
	return p.closeErr
}

// handle is the one entrance: CONNECT, absolute-form http, and what comes
// through a tunnel.
func (p *Proxy) handle(w http.ResponseWriter, r *http.Request) {
	visit, ok := p.traffic.pending.enter()
	if !ok {
		page(http.StatusServiceUnavailable, codeOver).writeTo(w)
		return
	}
	defer visit.exit()
	if r.Method == http.MethodConnect {
		p.connect(w, r)
		return
	}
	to, code := p.destination(r)
	if code != "" {
		p.refuse(w, r, http.StatusForbidden, code)
		return
	}
	visit.begins()
	p.forward(w, newRequest(r, to), visit)
}

// destination finds the site of a request and completes its URL. Inside a
// tunnel the Host must be the one that was asked for with CONNECT.
func (p *Proxy) destination(r *http.Request) (target, string) {
	inside, tunnelled := r.Context().Value(tunnelKey{}).(target)
	scheme := "http"
	if tunnelled {
		scheme = inside.scheme
	} else if r.URL.Scheme != "http" || r.URL.Host == "" {
		return target{}, codeOrigin
	}
	to, known := p.origins()[origin(scheme, r.Host)]
	switch {
	case tunnelled && (!known || to.origin() != inside.origin()):
		return target{}, codeHost
	case !known:
		return target{}, codeOrigin
	case r.URL.Host != "" && origin(scheme, r.URL.Host) != to.origin():
		return target{}, codeHost
	}
	r.URL.Scheme, r.URL.Host = to.scheme, to.host
	return to, ""
}

// connect answers CONNECT and serves what comes through as requests of its own.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	to, known := p.origins()[origin("https", r.Host)]
	if !known { // Chromium opens ws:// by CONNECT too
		to, known = p.origins()[origin("http", r.Host)]
	}
	if _, nested := r.Context().Value(tunnelKey{}).(target); nested || !known {
		p.refuse(w, r, http.StatusForbidden, codeOrigin)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.config.Logger.Debug("tunnel not taken over", "error", err)
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		conn.Close() //nolint:errcheck // it is broken already
		return
	}
	p.inner.add(p.tunnel(conn, buffered.Reader, to))
}

func (p *Proxy) tunnel(conn net.Conn, buffered *bufio.Reader, to target) net.Conn {
	tunnel := &tunnel{Conn: conn, reader: buffered, to: to}
	if to.scheme == "http" {
		return tunnel
	}
	return tls.Server(tunnel, p.identity.config)
}

// refuse answers with a plain page that names the code, and keeps it.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	p.gate.note(r, code)
	p.config.Logger.Info("request refused", "method", r.Method, "host", r.Host, "code", code)
	page(status, code).writeTo(w)
}

func usage(code, format string, args ...any) error {
	return fault.New(fault.Usage, code, format, args...)
}

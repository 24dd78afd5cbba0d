package guard

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/url"
	"time"

	"branchbot/bots/pack"
)

// Config says what one run's proxy serves and what it lets through.
type Config struct {
	Manifest *pack.Manifest
	Origins  map[string]string // site name → origin (https://host[:port] or http://…)
	Strict   bool              // signed and embedded packs: every leaf of the payload must be declared
	Roots    *x509.CertPool    // nil: the system's
	Upstream *url.URL          // the bank's CONNECT proxy, nil for none
	Logger   *slog.Logger
}

// Refusal is a request that was not let out.
type Refusal struct {
	Method string
	URL    string // without query: it may carry customer data
	Code   string
	At     time.Time
}

// Proxy is the run's loopback proxy: the only road from the browser to the sites.
type Proxy struct{}

// Open starts the proxy on a free loopback port.
func Open(ctx context.Context, c Config) (*Proxy, error) { return &Proxy{}, nil }

// Address is "127.0.0.1:port", for --proxy-server.
func (p *Proxy) Address() string { return "" }

// SPKI is the base64 SHA-256 of the run's leaf key, for --ignore-certificate-errors-spki-list.
func (p *Proxy) SPKI() string { return "" }

// Admit lets only sockets of process group pgid connect from now on.
func (p *Proxy) Admit(pgid int) {}

// BeginLogin lets the named login's request leave until end is called.
func (p *Proxy) BeginLogin(name string) (end func(), err error) { return func() {}, nil }

// BeginReading lets only reads leave (GET, HEAD, OPTIONS, harmless) until end is called.
func (p *Proxy) BeginReading() (end func()) { return func() {} }

// Quiet returns when no request has been pending for d.
func (p *Proxy) Quiet(ctx context.Context, d time.Duration) error { return nil }

// Refusals lists what was refused so far.
func (p *Proxy) Refusals() []Refusal { return nil }

// Close ends the proxy and waits for its goroutines. It may be called twice.
func (p *Proxy) Close() error { return nil }

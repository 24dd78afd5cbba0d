package guard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// bank is a small site over real TCP that counts what it stored.
type bank struct {
	*httptest.Server
	mux *http.ServeMux

	mu     sync.Mutex
	stored []string // bodies of POST /api/accounts
	seen   []string // every request, as METHOD target
	conns  map[string]net.Conn
	misuse string // what happens after storing
	hang   chan struct{}
}

const (
	plainHTTP = "http"
	tlsH1     = "https h1"
	tlsH2     = "https h2"
)

func newBank(t testing.TB, protocol string) *bank {
	t.Helper()
	b := &bank{mux: http.NewServeMux(), conns: map[string]net.Conn{}, hang: make(chan struct{})}
	b.mux.HandleFunc("POST /api/accounts", b.accounts)
	b.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen = append(b.seen, r.Method+" "+r.RequestURI)
		b.mu.Unlock()
		b.mux.ServeHTTP(w, r)
	}))
	b.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if state == http.StateNew {
			b.conns[conn.RemoteAddr().String()] = conn
		}
	}
	b.EnableHTTP2 = protocol == tlsH2
	if protocol == plainHTTP {
		b.Start()
	} else {
		b.StartTLS()
	}
	t.Cleanup(func() { close(b.hang); b.CloseClientConnections(); b.Close() })
	return b
}

// accounts stores, then misbehaves.
func (b *bank) accounts(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	b.stored = append(b.stored, string(body))
	misuse, conn := b.misuse, b.conns[r.RemoteAddr]
	b.mu.Unlock()
	switch misuse {
	case "":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"code":0,"data":{"accountNo":"6222-1"}}`)
	case "fin":
		conn.Close()
	case "rst":
		tcp := conn
		if secure, ok := conn.(*tls.Conn); ok {
			tcp = secure.NetConn()
		}
		_ = tcp.(*net.TCPConn).SetLinger(0)
		tcp.Close()
	case "abort":
		panic(http.ErrAbortHandler)
	case "half":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"code":0,`)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "hang":
		select {
		case <-b.hang:
		case <-r.Context().Done():
		}
	case "401":
		w.Header().Set("WWW-Authenticate", `Basic realm="core"`)
		w.WriteHeader(401)
	case "408":
		w.WriteHeader(408)
	case "421":
		w.WriteHeader(421)
	case "500":
		w.WriteHeader(500)
		fmt.Fprint(w, `{"code":0,"data":{"accountNo":"6222-1"}}`)
	case "307":
		http.Redirect(w, r, "/api/other", http.StatusTemporaryRedirect)
	}
}

func (b *bank) records() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.stored)
}

func (b *bank) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}

// openSubmit is the manifest entry that most tests use.
func openSubmit() *pack.Submit {
	return &pack.Submit{
		Name:    "open",
		Request: pack.Matcher{Method: "POST", Path: "/api/accounts"},
		Fields:  map[string]pack.Field{"name": {Path: "$.name"}, "id": {Path: "$.id"}},
		Ignore:  []string{"$.csrf"},
		Success: pack.Reply{Where: map[string][]any{"$.code": {0}}, Receipt: map[string]string{"account_no": "$.data.accountNo"}},
	}
}

func manifestOf(submits ...*pack.Submit) *pack.Manifest {
	m := &pack.Manifest{Submits: map[string]*pack.Submit{}}
	for _, s := range submits {
		m.Submits[s.Name] = s
	}
	return m
}

func rootsOf(b *bank) *x509.CertPool {
	pool := x509.NewCertPool()
	if certificate := b.Certificate(); certificate != nil {
		pool.AddCert(certificate)
	}
	return pool
}

func openProxy(t testing.TB, b *bank, manifest *pack.Manifest) *Proxy {
	t.Helper()
	p, err := Open(t.Context(), Config{Manifest: manifest, Origins: map[string]string{"core": b.URL}, Strict: true, Roots: rootsOf(b)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// browserOf is a client that goes through the proxy and, like Chromium, pins the
// run's leaf key.
func browserOf(t testing.TB, p *Proxy) *http.Client {
	t.Helper()
	transport := &http.Transport{
		Proxy:              http.ProxyURL(&url.URL{Scheme: "http", Host: p.Address()}),
		DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
			sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if base64.StdEncoding.EncodeToString(sum[:]) != p.SPKI() {
				return errors.New("not the run's key")
			}
			return nil
		}},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status int
	body   string
	header http.Header
	err    error
}

func send(ctx context.Context, client *http.Client, method, target, contentType, body string) answer {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	res, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, body: string(text), header: res.Header, err: err}
}

// sendLikeChromium repeats what Chromium's network stack repeats.
func sendLikeChromium(ctx context.Context, client *http.Client, target, contentType, body string) answer {
	var last answer
	for range 7 {
		last = send(ctx, client, "POST", target, contentType, body)
		if last.err == nil && last.status != 408 && last.status != 421 {
			return last
		}
	}
	return last
}

// hand is a driver of a page that is a function.
type hand struct {
	press func(context.Context) error

	mu        sync.Mutex
	pictures  []string
	abandoned int
}

func (h *hand) Press(ctx context.Context) error { return h.press(ctx) }

func (h *hand) Picture(_ context.Context, kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pictures = append(h.pictures, kind)
}

func (h *hand) Abandon(context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.abandoned++
}

// journal keeps what was recorded; fail makes one kind fail.
type journal struct {
	mu    sync.Mutex
	kinds []wire.RecordKind
	data  []any
	fail  map[wire.RecordKind]error
}

func (j *journal) Record(_ context.Context, kind wire.RecordKind, data any) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fail[kind]; err != nil {
		return err
	}
	j.kinds, j.data = append(j.kinds, kind), append(j.data, data)
	return nil
}

func (j *journal) line() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	words := make([]string, len(j.kinds))
	for i, kind := range j.kinds {
		words[i] = string(kind)
	}
	return strings.Join(words, " ")
}

func anna() map[string]string { return map[string]string{"name": "Anna", "id": "11010519491231002X"} }

const annaJSON = `{"name":"Anna","id":"11010519491231002X","csrf":"t0ken"}`

// presses posts body as JSON once and keeps the answer.
func presses(client *http.Client, target, body string, got *answer) func(context.Context) error {
	return func(ctx context.Context) error {
		*got = sendLikeChromium(context.WithoutCancel(ctx), client, target, "application/json", body)
		return nil
	}
}

func callOf(s *pack.Submit) Call {
	return Call{Submit: s, Key: []string{"11010519491231002X"}, Values: anna(), Settle: time.Millisecond, Deadline: 10 * time.Second, Reply: 10 * time.Second}
}

func reader(text string) io.ReadCloser { return io.NopCloser(bytes.NewReader([]byte(text))) }

package guard

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// listing is a manifest with some of every rule.
func listing() *pack.Manifest {
	twin := openSubmit()
	twin.Name, twin.Request = "twin", pack.Matcher{Method: "POST", Path: "/twin"}
	other := *twin
	other.Name = "other"
	search := &pack.Submit{Name: "post search", Request: pack.Matcher{Method: "POST", Path: "/api/search", Where: map[string][]any{"$.op": {"write"}}}}
	manifest := manifestOf(openSubmit(), twin, &other, search)
	manifest.Harmless = []pack.Matcher{
		{Method: "POST", Path: "/api/search"},
		{Method: "POST", Path: "/graphql", Where: map[string][]any{"$.operationName": {"Customer"}}},
		{Method: "PUT", Path: "/seen/*", Where: map[string][]any{"header:X-Kind": {"view"}, "query:v": {1}}},
		{Method: "POST", Path: "/mirror", Site: "mirror"},
		{Method: "POST", Path: "/elsewhere", Site: "elsewhere"},
	}
	manifest.Logins = map[string]pack.Login{"core": {Site: "core", Request: pack.Matcher{Method: "POST", Path: "/login"}}}
	return manifest
}

func TestWhatMayLeave(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH1)
	site.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	p, err := Open(t.Context(), Config{Manifest: listing(), Origins: map[string]string{"core": site.URL, "mirror": site.URL + "/"}, Roots: rootsOf(site)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	client := browserOf(t, p)
	for _, test := range []struct {
		method, path, kind, body string
		status                   int
		code                     string
	}{
		{"GET", "/", "", "", 200, ""},
		{"GET", "/", "override", "", 403, "write_not_listed"},
		{"POST", "/api/search", "override", `{"op":"read"}`, 403, "write_not_listed"},
		{"POST", "/api/search?_method=DELETE", "", `{"op":"read"}`, 403, "write_not_listed"},
		{"POST", "/api/search?%5Fmethod=DELETE", "", `{"op":"read"}`, 403, "write_not_listed"},
		{"POST", "/api/search?x_http_method_override=PUT", "", `{"op":"read"}`, 403, "write_not_listed"},
		{"POST", "/api/search", asJSON, `{"op":"read","_method":"DELETE"}`, 403, "write_not_listed"},
		{"POST", "/mirror", asForm, "a=1&_method=PUT", 403, "write_not_listed"},
		{"POST", "/mirror", asForm, "a=1&method=PUT", 200, ""},
		{"GET", "/?_method=DELETE", "", "", 403, "write_not_listed"},
		{"POST", "/mirror", "override", "", 403, "write_not_listed"},
		{"POST", "/api/accounts", "override", annaJSON, 403, "write_not_listed"},
		{"HEAD", "/x", "", "", 200, ""},
		{"OPTIONS", "/x", "", "", 200, ""},
		{"POST", "/x", "", "", 403, "write_not_listed"},
		{"POST", "/mirror", "", "", 200, ""},
		{"POST", "/elsewhere", "", "", 403, "write_not_listed"},
		{"DELETE", "/api/accounts", "", "", 403, "write_not_listed"},
		{"POST", "/api//accounts", asJSON, annaJSON, 403, "premature"},
		{"POST", "/api/accounts", asJSON, annaJSON, 403, "premature"},
		{"POST", "/twin", asJSON, annaJSON, 403, "ambiguous_submit"},
		{"POST", "/login", asForm, "u=1", 403, "write_not_listed"},
		{"POST", "/api/search", asJSON, `{"op":"read"}`, 200, ""},
		{"POST", "/api/search", asJSON, `{"op":"write"}`, 403, "premature"}, // submit beats harmless
		{"POST", "/api/search", asJSON, `{"op":"read","op":"write"}`, 403, "unreadable_request"},
		{"POST", "/graphql", asJSON, `{"operationName":"Customer"}`, 200, ""},
		{"POST", "/graphql", asJSON, `[{"operationName":"Customer"}]`, 403, "write_not_listed"},
		{"POST", "/graphql", asJSON, `{"operationName":"Drop"}`, 403, "write_not_listed"},
		{"POST", "/graphql", asJSON, `not json`, 403, "unreadable_request"},
		{"PUT", "/seen/7?v=1", "view", "", 200, ""},
		{"PUT", "/seen/7?v=1&v=2", "view", "", 403, "unreadable_request"},
		{"PUT", "/seen/7?v=2", "view", "", 403, "write_not_listed"},
		{"PUT", "/seen/../x?v=1", "view", "", 403, "write_not_listed"},
		{"PUT", "/seen/7?v=1", "", "", 403, "write_not_listed"},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), test.method, site.URL, strings.NewReader(test.body))
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(test.path, "?")
		r.Header.Set("Content-Type", test.kind)
		switch test.kind {
		case "view":
			r.Header.Set("X-Kind", test.kind)
		case "override":
			r.Header.Set("X-HTTP-Method-Override", "DELETE")
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", test.method, test.path, err)
		}
		page, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != test.status || res.Header.Get("X-Branchbot-Code") != test.code || !strings.Contains(string(page), test.code) {
			t.Errorf("%s %s %s: %d %q", test.method, test.path, test.body, res.StatusCode, page)
		}
	}
	if n := len(site.records()); n != 0 {
		t.Errorf("%d records", n)
	}
	refusals := p.Refusals()
	first := refusals[slices.IndexFunc(refusals, func(r Refusal) bool { return strings.HasSuffix(r.URL, "/x") })]
	if first.Code != "write_not_listed" || first.URL != site.URL+"/x" || first.Method != "POST" || first.At.IsZero() {
		t.Errorf("refusal %+v", first)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	r, _ := http.NewRequestWithContext(t.Context(), "POST", site.URL+"/api/accounts", io.LimitReader(zeros{}, maxBody+1))
	r.ContentLength = maxBody + 1
	res, err := browserOf(t, p).Do(r)
	if err == nil { // the client may see the cut before the answer
		res.Body.Close()
		if res.StatusCode != 403 || res.Header.Get("X-Branchbot-Code") != "unreadable_request" {
			t.Errorf("%+v", res)
		}
	}
	if got := p.Refusals(); len(got) != 1 || got[0].Code != "unreadable_request" {
		t.Errorf("%+v", got)
	}
	if _, err := readWhole(io.LimitReader(zeros{}, maxBody+1), -1, maxBody); !errors.Is(err, errTooLarge) {
		t.Errorf("a reply of more than 64 MB: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestLoginAndReading(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH2)
	site.mux.HandleFunc("POST /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	submit := openSubmit()
	submit.Before = []pack.Matcher{{Method: "POST", Path: "/upload"}}
	manifest := manifestOf(submit)
	manifest.Logins = map[string]pack.Login{"core": {Site: "core", Request: pack.Matcher{Method: "POST", Path: "/login"}}}
	p := openProxy(t, site, manifest)
	client := browserOf(t, p)
	post := func(path string) int { return send(t.Context(), client, "POST", site.URL+path, "", "").status }

	if _, err := p.BeginLogin("nobody"); !fault.HasCode(err, "login_unknown") {
		t.Error(err)
	}
	end, err := p.BeginLogin("core")
	if err != nil || post("/login") != 200 {
		t.Errorf("login while open: %v", err)
	}
	end()
	end()
	if post("/login") != 403 || post("/upload") != 403 {
		t.Error("login or upload left when it was not their time")
	}
	attempt, err := p.gate.begin(submit)
	if err != nil {
		t.Fatal(err)
	}
	attempt.arm(nil)
	if post("/upload") != 200 {
		t.Error("a listed write ahead of the submit was stopped")
	}
	stop := p.BeginReading()
	if post("/upload") != 403 {
		t.Error("a write left while reading")
	}
	stop()
	p.gate.retire(attempt)
	if post("/upload") != 403 {
		t.Error("a write left after its intent")
	}
}

func TestOnlyThePacksOrigins(t *testing.T) {
	t.Parallel()
	site, elsewhere := newBank(t, tlsH1), newBank(t, plainHTTP)
	p := openProxy(t, site, nil)
	client := browserOf(t, p)
	if got := send(t.Context(), client, "GET", elsewhere.URL+"/", "", ""); got.status != 403 || !strings.Contains(got.body, "origin_not_allowed") {
		t.Errorf("%+v", got)
	}
	if got := send(t.Context(), client, "GET", strings.Replace(site.URL, "127.0.0.1", "localhost", 1), "", ""); got.err == nil {
		t.Errorf("a CONNECT to another name was let through: %+v", got)
	}
	if n := len(elsewhere.requests()); n != 0 {
		t.Errorf("%d requests left", n)
	}
	for name, origin := range map[string]string{"no scheme": "core.bank", "path": "https://core.bank/x", "ftp": "ftp://core.bank"} {
		if _, err := Open(t.Context(), Config{Origins: map[string]string{"core": origin}}); !fault.HasCode(err, "bad_origin") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tunnelTo opens a CONNECT by hand.
func tunnelTo(t *testing.T, p *Proxy, host string) (net.Conn, string) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err != nil {
		t.Fatal(err)
	}
	return conn, res.Status
}

func TestNamesMustAgree(t *testing.T) {
	t.Parallel()
	p, err := Open(t.Context(), Config{Origins: map[string]string{"core": "https://core.bank.test"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, status := tunnelTo(t, p, "evil.test:443"); !strings.HasPrefix(status, "403") {
		t.Errorf("CONNECT elsewhere: %s", status)
	}
	conn, _ := tunnelTo(t, p, "core.bank.test:443")
	if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "evil.test"}).HandshakeContext(t.Context()); err == nil {
		t.Error("TLS for another name was accepted")
	}
	conn, _ = tunnelTo(t, p, "core.bank.test:443")
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "core.bank.test", NextProtos: []string{"h2", "http/1.1"}})
	for range 2 {
		fmt.Fprintf(secure, "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(secure), nil)
		if err != nil || res.StatusCode != 403 || res.Header.Get("X-Branchbot-Code") != "host_mismatch" {
			t.Fatalf("another Host: %+v %v", res, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("the browser was offered %q", got)
	}
}

func TestSiteThatCannotBeTrustedOrReached(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH1)
	gone := newBank(t, tlsH1)
	gone.Listener.Close()
	submit := openSubmit()
	submit.Request.Site = "core"
	for code, c := range map[string]Config{
		"site_certificate": {Origins: map[string]string{"core": site.URL}, Manifest: manifestOf(submit)},
		"site_unreachable": {Origins: map[string]string{"core": gone.URL}, Manifest: manifestOf(submit)},
	} {
		p, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		client, target := browserOf(t, p), c.Origins["core"]
		if got := send(t.Context(), client, "GET", target+"/", "", ""); got.status != 502 || !strings.Contains(got.body, code) {
			t.Errorf("%s: %+v", code, got)
		}
		var got answer
		records := &journal{}
		result, err := p.Submit(t.Context(), callOf(submit), &hand{press: presses(client, target+"/api/accounts", annaJSON, &got)}, records)
		if !fault.HasCode(err, code) || result.Reason != code || records.line() != "intent outcome" || !strings.Contains(got.body, code) {
			t.Errorf("submit: %+v %v %s %+v", result, err, records.line(), got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTrafficIsUnchanged(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			site := newBank(t, protocol)
			var seen http.Header
			packed := &bytes.Buffer{}
			zip := gzip.NewWriter(packed)
			fmt.Fprint(zip, "packed page")
			zip.Close()
			site.mux.HandleFunc("GET /odd/", func(w http.ResponseWriter, r *http.Request) {
				seen = r.Header.Clone()
				w.Header().Set("Content-Encoding", "gzip")
				w.Header()["Content-Type"] = nil
				_, _ = w.Write(packed.Bytes())
			})
			p := openProxy(t, site, nil)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", site.URL, nil)
			r.URL.Opaque, r.URL.RawQuery = "/odd/a|b%2Fc/\"x\"", "a=1;b=2&%zz&q=%e4%b8"
			if protocol == plainHTTP {
				r.URL.Opaque = strings.TrimPrefix(site.URL, "http:") + r.URL.Opaque
			}
			r.Header.Set("Accept-Encoding", "gzip, br")
			res, err := browserOf(t, p).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if !bytes.Equal(body, packed.Bytes()) || res.Header.Get("Content-Encoding") != "gzip" || res.Header.Values("Content-Type") != nil {
				t.Errorf("reply %v %q", res.Header, body)
			}
			want := "GET /odd/a|b%2Fc/\"x\"?a=1;b=2&%zz&q=%e4%b8"
			if got := site.requests(); len(got) != 1 || got[0] != want {
				t.Errorf("target %q, want %q", got, want)
			}
			for name := range seen {
				if name != "Accept-Encoding" && name != "User-Agent" {
					t.Errorf("header %s was added", name)
				}
			}
		})
	}
}

func TestStreamsAreNotHeldBackAndDoNotCountAsPending(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH2)
	site.mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-site.hang:
		}
	})
	slow, arrived := make(chan struct{}), make(chan struct{})
	site.mux.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) { close(arrived); <-slow })
	p := openProxy(t, site, nil)
	client := browserOf(t, p)
	res, err := client.Get(site.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	line := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, line); err != nil || string(line) != "data: 1\n\n" {
		t.Fatalf("%q %v", line, err)
	}
	if err := p.Quiet(t.Context(), time.Millisecond); err != nil {
		t.Errorf("an event stream counts as pending: %v", err)
	}
	done := make(chan answer)
	go func() { done <- send(t.Context(), client, "GET", site.URL+"/slow", "", "") }()
	<-arrived
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := p.Quiet(short, time.Millisecond); err == nil {
		t.Error("quiet with a request under way")
	}
	close(slow)
	<-done
	if err := p.Quiet(t.Context(), 10*time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestThroughTheBanksProxy(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH2), openSubmit()
	tunnels := 0
	bankProxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnels++
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		near, _, _ := http.NewResponseController(w).Hijack()
		fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(far, near); far.Close() }()
		_, _ = io.Copy(near, far)
		near.Close()
	}))
	defer bankProxy.Close()
	upstream, _ := url.Parse(bankProxy.URL)
	p, err := Open(t.Context(), Config{Manifest: manifestOf(submit), Origins: map[string]string{"core": site.URL}, Strict: true, Roots: rootsOf(site), Upstream: upstream})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got answer
	if _, err := p.Submit(t.Context(), callOf(submit), &hand{press: presses(browserOf(t, p), site.URL+"/api/accounts", annaJSON, &got)}, &journal{}); err != nil {
		t.Error(err)
	}
	if tunnels != 1 || len(site.records()) != 1 {
		t.Errorf("%d tunnels, %d records", tunnels, len(site.records()))
	}
}

// socketSite greets on a socket at /events and /hidden, and keeps what it hears.
func socketSite(t *testing.T) *bank {
	site := newBank(t, tlsH2)
	greet := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-WebSocket-Extensions") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		conn, buffered, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
		heard, _ := io.ReadAll(buffered)
		site.mu.Lock()
		defer site.mu.Unlock()
		site.stored = append(site.stored, string(heard))
	}
	site.mux.HandleFunc("GET /events", greet)
	site.mux.HandleFunc("GET /hidden", greet)
	return site
}

// openSocket asks for a socket by hand, in the way a browser does.
func openSocket(t *testing.T, p *Proxy, site *bank, path string) (net.Conn, *bufio.Reader, int) {
	t.Helper()
	host := strings.TrimPrefix(site.URL, "https://")
	conn, _ := tunnelTo(t, p, host)
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", path, host)
	buffered := bufio.NewReader(secure)
	res, err := http.ReadResponse(buffered, &http.Request{Method: "GET"})
	if err != nil {
		t.Fatal(err)
	}
	return secure, buffered, res.StatusCode
}

func TestSockets(t *testing.T) {
	t.Parallel()
	site := socketSite(t)
	p := openProxy(t, site, &pack.Manifest{WebSockets: []pack.WebSocket{{URL: "/events", Send: "none"}}})
	if _, _, status := openSocket(t, p, site, "/hidden"); status != http.StatusForbidden {
		t.Errorf("an unlisted socket: %d", status)
	}
	conn, buffered, status := openSocket(t, p, site, "/events")
	hello := make([]byte, 4)
	if _, err := io.ReadFull(buffered, hello); status != http.StatusSwitchingProtocols || err != nil || string(hello) != "\x81\x02hi" {
		t.Fatalf("%d %q %v", status, hello, err)
	}
	ping, text := "\x8a\x82abcd12", "\x81\x82abcd12"
	fmt.Fprint(conn, ping)
	fmt.Fprint(conn, text)
	if _, err := buffered.ReadByte(); err == nil {
		t.Error("the socket went on after the page had sent")
	}
	for len(site.records()) == 0 {
		runtime.Gosched()
	}
	if got := site.records()[0]; got != ping {
		t.Errorf("the site got %q", got)
	}
	if got := p.Refusals(); got[len(got)-1].Code != "websocket_send" {
		t.Errorf("%+v", got)
	}
	if err := p.Quiet(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsSockets(t *testing.T) {
	t.Parallel()
	site := socketSite(t)
	p := openProxy(t, site, &pack.Manifest{WebSockets: []pack.WebSocket{{URL: "/events"}}})
	_, buffered, status := openSocket(t, p, site, "/events")
	if status != http.StatusSwitchingProtocols {
		t.Fatal(status)
	}
	if err := p.Quiet(t.Context(), time.Millisecond); err != nil {
		t.Errorf("a socket counts as pending: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	_, _ = io.ReadAll(buffered) // it ends, in whatever way
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH1)
	p := openProxy(t, site, nil)
	arrived := make(chan struct{})
	site.mux.HandleFunc("GET /hang", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done():
		case <-site.hang:
		}
	})
	done := make(chan answer)
	client := browserOf(t, p)
	go func() { done <- send(context.Background(), client, "GET", site.URL+"/hang", "", "") }()
	<-arrived
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if got := <-done; got.err == nil && got.status != 503 {
		t.Errorf("%+v", got)
	}
	if _, err := net.Dial("tcp", p.Address()); err == nil {
		t.Error("still listening")
	}
}

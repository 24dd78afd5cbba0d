package guard

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// plainly posts JSON by the run's own road.
func plainly(ctx context.Context, p *Proxy, target, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", asJSON)
	res, err := p.Road(0).RoundTrip(r)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	return err
}

// The same gate stands on the road without a browser.
func TestWhatMayLeaveWithoutABrowser(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH2)
	site.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	p := openProxy(t, site, listing())
	for _, test := range []struct{ method, target, header, code string }{
		{"GET", site.URL + "/", "", ""},
		{"HEAD", site.URL + "/x", "", ""},
		{"POST", site.URL + "/api/search", "", ""},
		{"POST", site.URL + "/api/search?_method=DELETE", "", "write_not_listed"},
		{"GET", site.URL + "/", "X-HTTP-Method-Override", "write_not_listed"},
		{"DELETE", site.URL + "/x", "", "write_not_listed"},
		{"POST", site.URL + "/api/accounts", "", "premature"},
		{"POST", site.URL + "/login", "", "write_not_listed"},
		{"GET", "https://elsewhere.example/", "", "origin_not_allowed"},
		{"GET", strings.Replace(site.URL, "https", "http", 1) + "/", "", "origin_not_allowed"},
		{"GET", "ftp://" + strings.TrimPrefix(site.URL, "https://") + "/", "", "origin_not_allowed"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, test.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.header != "" {
			r.Header.Set(test.header, "DELETE")
		}
		if _, err := p.Road(0).RoundTrip(r); fault.Code(err) != test.code {
			t.Errorf("%s %s: %v, want %q", test.method, test.target, err, test.code)
		}
	}
	if n := len(site.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}

// A run without a browser has no port that another process could use.
func TestNobodyConnectsBeforeThereIsABrowser(t *testing.T) {
	t.Parallel()
	site := newBank(t, plainHTTP)
	p := openProxy(t, site, nil)
	ask := func() error {
		conn, err := net.Dial("tcp", p.outer.Addr().String())
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET "+site.URL+"/ HTTP/1.1\r\nHost: "+site.Listener.Addr().String()+"\r\nConnection: close\r\n\r\n"); err != nil {
			return err
		}
		answer, err := io.ReadAll(conn)
		if err == nil && !strings.Contains(string(answer), "home") {
			err = errors.New("no answer")
		}
		return err
	}
	if err := ask(); err == nil || len(site.requests()) != 0 {
		t.Error("a stranger was served")
	}
	p.Address()
	if err := ask(); err != nil {
		t.Errorf("the browser is not served: %v", err)
	}
}

func TestRepliesAreUnpackedAndBounded(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH1)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	io.WriteString(writer, "\xd5\xc5\xc8\xfd") // 张三 in GBK
	writer.Close()
	site.mux.HandleFunc("GET /packed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	site.mux.HandleFunc("GET /odd", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		io.WriteString(w, "x")
	})
	site.mux.HandleFunc("GET /huge", func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, io.LimitReader(zeros{}, maxBody+1)) })
	p := openProxy(t, site, nil)
	for path, want := range map[string]string{"/packed": "张三", "/odd": "reply_unreadable", "/huge": "reply_too_large"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+path, nil)
		res, err := p.Road(0).RoundTrip(r)
		if err != nil {
			if fault.Code(err) != want {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if text, _ := io.ReadAll(res.Body); string(text) != want {
			t.Errorf("%s: %q", path, text)
		}
	}
	site.Close()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+"/packed", nil)
	if _, err := p.Road(0).RoundTrip(r); fault.Code(err) != "site_unreachable" || !fault.Of(err).Retryable {
		t.Errorf("a site that is down: %v", err)
	}
}

// holding is a journal that lets the test act while PREPARED is being written.
type holding struct {
	journal
	act func()
}

func (h *holding) Record(ctx context.Context, kind wire.RecordKind, data any) error {
	if kind == wire.RecordPrepared {
		h.act()
	}
	return h.journal.Record(ctx, kind, data)
}

// Whoever made the request dies while it is held: it is whole and was meant, so
// that it is sent once and its outcome recorded.
func TestTheClientDiesWhileItsRequestIsHeld(t *testing.T) {
	t.Parallel()
	for name, sends := range map[string]func(context.Context, *Proxy, *http.Client, string) error{
		"page": func(ctx context.Context, _ *Proxy, browser *http.Client, target string) error {
			return send(ctx, browser, "POST", target, asJSON, annaJSON).err
		},
		"plain": func(ctx context.Context, p *Proxy, _ *http.Client, target string) error {
			return plainly(ctx, p, target, annaJSON)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, tlsH1), openSubmit()
			p := openProxy(t, site, manifestOf(submit))
			client := browserOf(t, p)
			alive, kill := context.WithCancel(t.Context())
			dead := make(chan struct{})
			driver := &hand{press: func(context.Context) error {
				defer close(dead)
				if err := sends(alive, p, client, site.URL+"/api/accounts"); err == nil {
					t.Error("it lived")
				}
				return errors.New("the client died")
			}}
			records := &holding{act: func() { kill(); <-dead }}
			result, err := p.Submit(t.Context(), callOf(submit), driver, records)
			if err != nil || result.State != wire.SubmitAcknowledged || records.line() != "intent prepared outcome" || len(site.records()) != 1 {
				t.Errorf("%+v %v, journal %s, %d records", result, err, records.line(), len(site.records()))
			}
		})
	}
}

// A page that leads on by a Refresh header is not quiet before it has.
func TestRefreshIsAwaited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		want   time.Duration
	}{
		{"", 300 * time.Millisecond},
		{"2; url=/next", 2300 * time.Millisecond},
		{"0", 300 * time.Millisecond},
		{"30;url=/again", 300 * time.Millisecond},
		{"soon", 300 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, began := newPending(), time.Now()
			p.awaitRefresh(http.Header{"Refresh": {c.header}})
			if err := p.quiet(t.Context(), 300*time.Millisecond); err != nil || time.Since(began) != c.want {
				t.Errorf("%q: quiet after %s, want %s: %v", c.header, time.Since(began), c.want, err)
			}
		})
	}
}

func FuzzRefresh(f *testing.F) {
	for _, seed := range []string{"0;url=/x", "1.5, url=/x", " 3", "-1", "1e9", "..", "5;5", "NaN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if after, ok := refreshOf(text); after < 0 || after > longestRefresh || !ok && after != 0 {
			t.Errorf("%q: %s %t", text, after, ok)
		}
	})
}

// A name that hides a method is found however it is written.
func FuzzOverridingQuery(f *testing.F) {
	f.Add("a=1&b=2", "_method")
	f.Add("%zz", "X-HTTP-Method-Override")
	f.Fuzz(func(t *testing.T, query, name string) {
		overridingQuery(query) // whatever comes
		if overridingName(name) && !overridingQuery("a=1&"+strings.NewReplacer("_", "%5f", "-", "%2d").Replace(name)+"=PUT") {
			t.Errorf("%q is not seen", name)
		}
	})
}

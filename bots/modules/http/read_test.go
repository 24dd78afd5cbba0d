package http_test

import (
	"encoding/base64"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/internal/bank"
	"branchbot/internal/wire"
)

// shop is a site with odd answers that counts what it was asked.
type shop struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // METHOD target authorization cookie
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	mux := nethttp.NewServeMux()
	mux.HandleFunc("/", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		nethttp.SetCookie(w, &nethttp.Cookie{Name: "sticky", Value: "a1"})
		w.Header().Set("X-Auth-Token", "s3cret")
		w.Header().Set("ETag", `"1"`)
		fmt.Fprintf(w, `{"path": %q, "n": 12345678901234567890, "kind": %q}`, r.URL.RequestURI(), r.Header.Get("X-Kind"))
	})
	mux.HandleFunc("/text", func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, "plain") })
	mux.HandleFunc("/gone", nethttp.NotFound)
	mux.HandleFunc("/broken", func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(503) })
	mux.HandleFunc("/secret", func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(401) })
	mux.HandleFunc("/large", func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20+1)) })
	mux.Handle("/loop", nethttp.RedirectHandler("/loop", nethttp.StatusFound))
	mux.HandleFunc("/away", func(w nethttp.ResponseWriter, r *nethttp.Request) {
		nethttp.Redirect(w, r, r.URL.Query().Get("to"), nethttp.StatusFound)
	})
	s.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", r.Header.Get("Authorization"), " ", r.Header.Get("Cookie"))))
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// at puts the shop in the place of the bank.
func (c *counter) at(s *shop) *counter {
	c.start.Origins = map[string]string{"core": s.URL}
	stored := c.host.Secrets["core"]
	stored.Origin = s.URL
	c.host.Secrets["core"] = stored
	return c
}

func TestReading(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	other := newShop(t)
	for _, c := range []struct{ name, call, want, code string }{
		{"json", `http.get("core:/a", query = {"b": [1, "x y"]}, headers = {"X-Kind": "k"}).json()`, `{"path":"/a?b=1&b=x+y","n":12345678901234567890,"kind":"k"}`, ""},
		{"query beside a query", `http.get("core:/a?z=1", query = {"b": True}).json()["path"]`, `"/a?z=1&b=true"`, ""},
		{"status is the script's to judge", `http.get("core:/gone").status`, `404`, ""},
		{"head has no text", `[http.head("core:/text").status, http.head("core:/text").text]`, `[200,""]`, ""},
		{"only headers without secrets", `[h for h in http.get("core:/a").headers]`, `["content-type","date","etag"]`, ""},
		{"a reply is plain data", `http.get("core:/text")["text"] if False else http.get("core:/text").text`, `"plain"`, ""},
		{"redirect inside", `http.get("core:/away?to=/text").text`, `"plain"`, ""},
		{"a search that harmless lists", `http.post("core:/harmless", json = {"q": 1}).status`, `200`, ""},
		{"a search as a form", `http.post("core:/harmless", form = {"q": "1"}).status`, `200`, ""},
		{"redirect elsewhere", fmt.Sprintf(`http.get("core:/away?to=%s/text")`, other.URL), "", "capability_denied"},
		{"redirect for ever", `http.get("core:/loop")`, "", "redirect_loop"},
		{"a write that is not listed", `http.post("core:/write", json = {})`, "", "write_not_listed"},
		{"a hidden method", `http.post("core:/harmless", form = {"_method": "DELETE"})`, "", "write_not_listed"},
		{"a header that hides a method", `http.get("core:/a", headers = {"X-HTTP-Method-Override": "DELETE"})`, "", "write_not_listed"},
		{"a site of others", `http.get("other:/a")`, "", "capability_denied"},
		{"a whole address", `http.get("https://core.example/a")`, "", "address"},
		{"no path", `http.get("core")`, "", "address"},
		{"a host in the path", `http.get("core://elsewhere/a")`, "", "address"},
		{"a header that signs in", `http.get("core:/a", headers = {"authorization": "Basic x"})`, "", "header_denied"},
		{"a header with a line end", `http.get("core:/a", headers = {"X-A": "b\r\nHost: c"})`, "", "header_denied"},
		{"no such login", `http.get("core:/a", login = "core")`, "", "login_unknown"},
		{"refused login", `http.get("core:/secret", login = "api")`, "", "login_failed"},
		{"refused without login", `http.get("core:/secret").status`, "401", ""},
		{"site error", `http.get("core:/broken")`, "", "site_error"},
		{"too large", `http.get("core:/large")`, "", "reply_too_large"},
		{"no json", `http.get("core:/text").json()`, "", "reply_unreadable"},
		{"json and form", `http.post("core:/harmless", json = {}, form = {})`, "", "payload_shape"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newCounter(t, bank.Listen{}).at(s)
			f := b.script("def run(input):\n    return {\"v\": " + c.call + "}\n")
			if got := string(f.Output); code(f) != c.code || c.code == "" && got != `{"v":`+c.want+`}` {
				t.Errorf("got %s %q %+v, want %s %q", got, code(f), f.Exception, c.want, c.code)
			}
		})
	}
	if other.mu.Lock(); len(other.asked) != 0 {
		t.Errorf("the other site was asked %v", other.asked)
	}
}

// What a site said is asked once: the journal gives it when the run goes on.
func TestRepliesAreJournaled(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCounter(t, bank.Listen{}).at(s)
	text := "def run(input):\n    r = http.get(\"core:/a\", login = \"api\")\n    now()\n    return {\"v\": r.json(), \"etag\": r.headers[\"etag\"], \"all\": step(\"s\", lambda: r)}\n"
	c.host.CutAfter = 2
	if f := c.script(text); f.State == wire.Succeeded {
		t.Fatal("the first runner lived")
	}
	c.host = c.host.Resume()
	if f := c.script(text); f.State != wire.Succeeded || len(s.asked) != 1 {
		t.Errorf("%s %+v, asked %v", f.Output, f.Exception, s.asked)
	}
	c.host = c.host.Resume()
	if f := c.script(strings.Replace(text, "core:/a", "core:/b", 1)); code(f) != "diverged" {
		t.Errorf("another question: %+v", f.Exception)
	}
}

// The secret goes to its own origin as a header, and to nothing that stays.
func TestTheSecretIsAHeaderAndNothingElse(t *testing.T) {
	t.Parallel()
	s, other := newShop(t), newShop(t)
	c := newCounter(t, bank.Listen{}).at(s)
	c.start.Origins["other"] = other.URL
	more := strings.NewReplacer("sites: [core], http: [core]", "sites: [core, other], http: [core, other]", "POST /harmless", "{site: core, request: POST /harmless}",
		"{request: POST /open/accounts, where:", "{site: core, request: POST /open/accounts, where:").Replace(manifest)
	c.pack = newPack(t, more, fmt.Sprintf("def run(input):\n    log(str(http.get(\"core:/away?to=%s/text\", login = \"api\")))\n    return {\"v\": http.get(\"core:/a\", login = \"api\")}\n", other.URL))
	if f := c.run(t.Context(), c.host); f.State != wire.Succeeded {
		t.Fatalf("%+v", f.Exception)
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(bank.DefaultUser+":"+bank.DefaultPassword))
	if !strings.Contains(s.asked[0], basic) || !strings.Contains(s.asked[1], basic) || strings.Contains(strings.Join(other.asked, ""), "Basic") || len(other.asked) != 1 {
		t.Errorf("own %v, other %v", s.asked, other.asked)
	}
	kept := fmt.Sprintf("%+v %+v", c.host.Journal(), c.host.Events())
	for _, record := range c.host.Journal() {
		kept += string(record.Data)
	}
	for _, canary := range []string{bank.DefaultPassword, strings.TrimPrefix(basic, "Basic "), "s3cret"} {
		if strings.Contains(kept, canary) {
			t.Errorf("%q stays in the journal or an event", canary)
		}
	}
	if c.host.Secrets["core"] = (host.Secret{Name: "core", Origin: other.URL, Values: c.host.Secrets["core"].Values}); true {
		c.host = c.host.Resume()
		again := &hosttest.Host{Secrets: c.host.Secrets}
		if f := c.run(t.Context(), again); code(f) != "secret_origin" {
			t.Errorf("a secret of another site: %+v", f.Exception)
		}
	}
}

func TestSiteIsDown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCounter(t, bank.Listen{}).at(s)
	s.Close()
	if f := c.script("def run(input):\n    return {\"v\": http.get(\"core:/a\", query = {\"number\": \"11010519491231002X\"})}\n"); code(f) != "site_unreachable" || strings.Contains(f.Exception.Message, "11010519491231002X") {
		t.Errorf("%+v", f.Exception)
	}
	c.start.Origins = nil
	if f := c.script("def run(input):\n    return {\"v\": http.get(\"core:/a\")}\n"); code(f) != "site_unbound" {
		t.Errorf("%+v", f.Exception)
	}
}

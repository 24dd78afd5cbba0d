package http_test

import (
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"branchbot/bots/host"
	"branchbot/internal/bank"
	"branchbot/internal/wire"
)

// till is a site that takes submits in many shapes.
type till struct {
	*httptest.Server
	mu    sync.Mutex
	taken []string
}

func newTill(t *testing.T) *till {
	t.Helper()
	s := &till{}
	mux := nethttp.NewServeMux()
	done := func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, `{"code":0,"data":{"no":"7"}}`) }
	mux.HandleFunc("/", done)
	mux.Handle("/lead", nethttp.RedirectHandler("/shown", nethttp.StatusSeeOther))
	mux.HandleFunc("GET /shown", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<h1>Done</h1><b id="no">7</b>`)
	})
	mux.Handle("/moved", nethttp.RedirectHandler("/there", nethttp.StatusTemporaryRedirect))
	mux.Handle("/elsewhere", nethttp.RedirectHandler("https://elsewhere.example/x", nethttp.StatusTemporaryRedirect))
	s.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.taken = append(s.taken, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", string(body), " ", r.Header.Get("X-Channel"))))
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// One sending in each shape, with what the site then sees.
func TestShapesOfASubmit(t *testing.T) {
	t.Parallel()
	const (
		json = "fields: {n: $.n, m: '$.more[0].m'}, constant: {$.c: 1}, success: {where: {$.code: 0}, receipt: {no: $.data.no}}"
		form = "encoding: form, fields: {n: $.n, m: $.m}, constant: {$.c: 1, header:X-Channel: branch}, success: {where: {$.code: 0}, receipt: {no: $.data.no}}"
		page = "fields: {n: $.n, m: query:m}, success: {text: Done, receipt: {no: 'css:#no'}}"
	)
	for _, c := range []struct{ name, request, rule, more, want, code string }{
		{"json", "POST /a", json, "", `POST /a {"c":1,"more":[{"m":2}],"n":"x"}`, ""},
		{"put", "PUT /a", json, "", `PUT /a {"c":1,"more":[{"m":2}],"n":"x"}`, ""},
		{"form", "POST /a", form, "", `POST /a c=1&m=2&n=x branch`, ""},
		{"a GET that submits", "GET /a", "fields: {n: $.n, m: query:m}, success: {where: {$.code: 0}, receipt: {no: $.data.no}}", "", `GET /a?m=2&n=x`, ""},
		{"a path that is computed", "POST /a/*", json, `, path = "/a/7/close"`, `POST /a/7/close {"c":1,"more":[{"m":2}],"n":"x"}`, ""},
		{"a path that the rule does not have", "POST /a/*", json, `, path = "/b/7"`, ``, "nothing_sent"},
		{"redirected to a page", "POST /lead", page, "", `POST /lead?m=2 {"n":"x"}, GET /shown`, ""},
		{"a leg that is listed", "POST /moved", json + ", legs: [POST /there]", "", `POST /moved {"c":1,"more":[{"m":2}],"n":"x"}, POST /there {"c":1,"more":[{"m":2}],"n":"x"}`, ""},
		{"a leg that is not", "POST /moved", json, "", `POST /moved {"c":1,"more":[{"m":2}],"n":"x"}`, "in_doubt"},
		{"a leg to elsewhere", "POST /elsewhere", json, "", `POST /elsewhere {"c":1,"more":[{"m":2}],"n":"x"}`, "in_doubt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, b := newTill(t), newCounter(t, bank.Listen{})
			b.start.Origins = map[string]string{"core": s.URL}
			b.host.Secrets = map[string]host.Secret{}
			manifest := "name: test\nversion: 1.0.0\ntitle: T\nowner: t\ncapabilities: {sites: [core], http: [core]}\nretry: {attempts: 1}\n" +
				"submits: {open: {request: " + c.request + ", " + c.rule + ", settle: 1ms, on_unknown: person}}\n"
			b.pack = newPack(t, manifest, "def run(input):\n    return step(\"s\", lambda: http.submit(key = [\"k\"], values = {\"n\": \"x\", \"m\": 2}"+c.more+"))\n")
			f := b.once(b.host)
			if got := strings.Join(s.taken, ", "); got != c.want || f.code != c.code || c.code == "" && (f.state != wire.Succeeded || f.output != `{"no":"7"}`) {
				t.Errorf("%+v\n got %s\nwant %s, %q", f, got, c.want, c.code)
			}
		})
	}
}

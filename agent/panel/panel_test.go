package panel

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/wire"
)

// pngHead is the head of a picture; the panel only looks at what it is.
var pngHead = []byte("\x89PNG\r\n\x1a\n specimen")

type answerPage struct {
	status   int
	location string
	body     string
	header   http.Header
}

// send makes one request the way a page of the panel would, after change.
func (d *desk) send(method, path string, contentType string, body io.Reader, change func(*http.Request)) answerPage {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	if method != http.MethodGet {
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Origin", d.server.URL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if change != nil {
		change(r)
	}
	reply, err := d.http.Do(r)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answerPage{reply.StatusCode, reply.Header.Get("Location"), string(text), reply.Header}
}

func (d *desk) get(path string) answerPage {
	d.t.Helper()
	return d.send(http.MethodGet, path, "", nil, nil)
}

func (d *desk) post(path string, values url.Values) answerPage {
	d.t.Helper()
	values.Set("csrf", d.csrf)
	return d.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()), nil)
}

func TestPages(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.agent.put(succeeded("run_done"))
	d.agent.put(declinedRun("run_declined"))
	d.agent.put(inDoubt("run_doubt"))
	d.agent.put(exampleRun("run_going", wire.Running))
	cases := []struct {
		name, path string
		status     int
		want       []string
		not        []string
	}{
		{"bots", "/", 200, []string{"Open a personal account", "saves about 15 minutes", "unsigned", "Head office connected", "6217310100000001"}, nil},
		{"in Chinese", "/?lang=zh-CN", 200, []string{"个人开户", "每笔约省 15 分钟", "已连接总行"}, []string{"Open a personal account"}},
		{"form", "/bots/account-opening?lang=en", 200, []string{`type="file"`, `accept="image/*,application/pdf"`, `type="date"`, `value="savings"`, "11 digits", "optional", `name="csrf" value="` + d.csrf}, []string{`class="error"`}},
		{"unknown bot", "/bots/none", 404, []string{"There is no such bot", "bot_unknown"}, nil},
		{"runs", "/runs", 200, []string{"In doubt", "Done", "该客户已开立同类账户", "王芳"}, nil},
		{"a run that is done", "/runs/run_done", 200, []string{"6217310100000001", "<dt>Product</dt><dd>Current</dd>", "reading the document", "all 14 fields sent are as meant", "Do another", "11.0 s"}, []string{"hx-sse:connect", "/cancel", "ocr.read"}},
		{"a run that was declined", "/runs/run_declined", 200, []string{"The business system declined it", `<p class="told">该客户已开立同类账户`, "Check the customer"}, []string{"hx-sse:connect"}},
		{"a run in doubt", "/runs/run_doubt", 200, []string{"Please settle this one", `action="/runs/run_doubt/answer"`, `value="not_submitted"`}, nil},
		{"a run under way", "/runs/run_going", 200, []string{`hx-sse:connect="/runs/run_going/events?seen=`, "open account", "working", `action="/runs/run_going/cancel"`}, []string{"settle this one"}},
		{"unknown run", "/runs/run_none", 404, []string{"There is no such run"}, nil},
		{"unknown picture", "/runs/run_done/evidence/sha256:0", 404, []string{"There is no such picture"}, nil},
		{"unknown page", "/wp-admin", 404, []string{"There is no such page"}, nil},
		{"odd run id", "/runs/%3Cscript%3E", 404, []string{"There is no such run"}, []string{"<script>"}},
	}
	for _, c := range cases {
		got := d.get(c.path)
		if got.status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got.status, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: page lacks %q", c.name, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(got.body, not) {
				t.Errorf("%s: page has %q", c.name, not)
			}
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'") {
			t.Errorf("%s: policy %q", c.name, policy)
		}
	}
}

func TestEveryRouteHasARole(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	open := map[string]bool{"GET /assets/": true, "GET /enter": true}
	for _, route := range d.panel.routes() {
		if public := route.role == anyone && open[route.pattern]; route.role != session && !public {
			t.Errorf("%s: role %q", route.pattern, route.role)
		}
		if route.role == anyone {
			continue
		}
		method, path, found := strings.Cut(route.pattern, " ")
		if !found {
			method, path = http.MethodGet, "/anything"
		}
		path = strings.NewReplacer("{$}", "", "{run}", "run_x", "{bot}", "account-opening", "{digest}", "sha256:0").Replace(path)
		got := d.send(method, path, "application/x-www-form-urlencoded", nil, nil)
		if got.status != http.StatusUnauthorized || !strings.Contains(got.body, "branchbot panel") {
			t.Errorf("%s without a session: %d", route.pattern, got.status)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.http.Jar = nil // each case brings its own cookie
	d.agent.put(exampleRun("run_x", wire.Running))
	port := d.server.URL[strings.LastIndex(d.server.URL, ":"):]
	form := func(csrf string) string { return url.Values{"csrf": {csrf}, "person": {"Li"}}.Encode() }
	cases := []struct {
		name, method, body string
		change             func(*http.Request)
		status             int
	}{
		{"another name for this machine", "GET", "", func(r *http.Request) { r.Host = "localhost" + port }, 200},
		{"a name pointed at this machine", "GET", "", func(r *http.Request) { r.Host = "evil.example" + port }, 403},
		{"no port", "GET", "", func(r *http.Request) { r.Host = "127.0.0.1" }, 403},
		{"another port", "GET", "", func(r *http.Request) { r.Host = "127.0.0.1:1" }, 403},
		{"a name that begins right", "GET", "", func(r *http.Request) { r.Host = "localhost.evil.example" + port }, 403},
		{"no session", "GET", "", func(r *http.Request) { r.Header.Set("Cookie", "") }, 401},
		{"a session of somebody else", "GET", "", func(r *http.Request) {
			r.Header.Set("Cookie", sessionCookie+"="+newSealer("other").sign("session", "9999999999 x"))
		}, 401},
		{"a session for another purpose", "GET", "", func(r *http.Request) {
			r.Header.Set("Cookie", sessionCookie+"="+d.panel.seal.sign("file", "9999999999 x"))
		}, 401},
		{"post from our page", "POST", form(d.csrf), nil, 303},
		{"post from another origin", "POST", form(d.csrf), func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
		{"post from another port", "POST", form(d.csrf), func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		{"post from an opaque origin", "POST", form(d.csrf), func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		{"post from another site", "POST", form(d.csrf), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		{"post from the same site only", "POST", form(d.csrf), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		{"post that says nothing", "POST", form(d.csrf), func(r *http.Request) { r.Header.Del("Origin"); r.Header.Del("Sec-Fetch-Site") }, 403},
		{"post without token", "POST", form(""), nil, 403},
		{"post with a wrong token", "POST", form("x" + d.csrf), nil, 403},
		{"token in the address only", "POST", "person=Li", func(r *http.Request) { r.URL.RawQuery = "csrf=" + d.csrf }, 403},
	}
	for _, c := range cases {
		path := "/"
		if c.method == http.MethodPost {
			path = "/runs/run_x/cancel"
		}
		got := d.send(c.method, path, "application/x-www-form-urlencoded", strings.NewReader(c.body), func(r *http.Request) {
			r.Header.Set("Cookie", d.cookie)
			if c.change != nil {
				c.change(r)
			}
		})
		if got.status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got.status, c.status)
		}
	}
	if want := []wire.By{{Person: "Li", Kind: wire.ByUnverified}}; !cmp.Equal(want, d.agent.stopped) {
		t.Errorf("stopped by %v, want %v", d.agent.stopped, want)
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, path := range []string{"/enter", "/enter?token=", "/enter?token=wrong", "/enter?token=" + testToken + "x"} {
		if got := d.get(path); got.status != http.StatusUnauthorized || len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: status %d, cookies %v", path, got.status, got.header.Values("Set-Cookie"))
		}
	}
	got := d.get("/enter?token=" + testToken)
	cookie := got.header.Get("Set-Cookie")
	if got.status != http.StatusSeeOther || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("status %d, cookie %q", got.status, cookie)
	}
	if strings.Contains(cookie, testToken) {
		t.Error("the cookie holds the token")
	}
}

func TestASessionEndsAfterADay(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	if got := d.get("/"); got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	d.panel.o.Now = func() time.Time { return time.Now().Add(sessionLife + time.Minute) }
	if got := d.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("an old session: status %d", got.status)
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		values url.Values
		status int
		want   *Answer
	}{
		{"submitted", url.Values{"decision": {"submitted"}, "reference": {" 6217 "}, "person": {"Li"}}, 303, &Answer{Decision: DecisionSubmitted, Reference: "6217"}},
		{"not submitted", url.Values{"decision": {"not_submitted"}, "reference": {"6217"}, "person": {"Li"}}, 303, &Answer{Decision: DecisionNotSubmitted}},
		{"cancel", url.Values{"decision": {"cancel"}, "person": {"Li"}}, 303, &Answer{Decision: DecisionCancel}},
		{"no reference", url.Values{"decision": {"submitted"}, "person": {"Li"}}, 400, nil},
		{"no decision", url.Values{"person": {"Li"}}, 400, nil},
		{"unknown decision", url.Values{"decision": {"retry"}, "person": {"Li"}}, 400, nil},
		{"nobody", url.Values{"decision": {"cancel"}}, 400, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t).enter()
			d.agent.put(inDoubt("run_doubt"))
			if got := d.post("/runs/run_doubt/answer", c.values); got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
			var want []Answer
			if c.want != nil {
				c.want.By = wire.By{Person: "Li", Kind: wire.ByUnverified}
				want = []Answer{*c.want}
			}
			if diff := cmp.Diff(want, d.agent.answers); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvidenceIsShownOnlyWhenItIsAPicture(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	page, _ := d.agent.Keep(t.Context(), File{MediaType: "text/html", Bytes: []byte("<script>alert(1)</script>")})
	card, _ := d.agent.Keep(t.Context(), File{MediaType: "image/png", Bytes: pngHead})
	cases := []struct{ name, digest, mediaType, disposition string }{
		{"a picture", card, "image/png", ""},
		{"a page", page, "application/octet-stream", "attachment; filename=evidence"},
	}
	for _, c := range cases {
		got := d.get("/runs/run_x/evidence/" + c.digest)
		if got.header.Get("Content-Type") != c.mediaType || got.header.Get("Content-Disposition") != c.disposition {
			t.Errorf("%s: %v", c.name, got.header)
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: policy %q", c.name, got.header.Get("Content-Security-Policy"))
		}
	}
}

func TestLiveUpdates(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.agent.put(exampleRun("run_x", wire.Running))
	page := d.get("/runs/run_x")
	address := regexp.MustCompile(`hx-sse:connect="([^"]+)"`).FindStringSubmatch(page.body)[1]
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.server.URL+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Language", "en")
	reply, err := d.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	d.agent.put(exampleRun("run_x", wire.Running)) // the page shows this already
	d.agent.put(succeeded("run_x"))
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	stream := string(body)
	if got := strings.Count(stream, "id: "); got != 1 {
		t.Errorf("%d versions were sent, want only the new one:\n%s", got, stream)
	}
	if !strings.Contains(stream, "6217310100000001") || !strings.HasSuffix(stream, "event: end\ndata: -\n\n") {
		t.Errorf("stream:\n%s", stream)
	}
}

func TestAnInternalErrorShowsAReferenceOnly(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.agent.put(exampleRun("run_x", wire.Running))
	d.agent.refuse = io.ErrUnexpectedEOF
	got := d.post("/runs/run_x/cancel", url.Values{"person": {"Li"}})
	if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "Something unexpected happened") {
		t.Errorf("status %d", got.status)
	}
	if strings.Contains(got.body, "unexpected EOF") {
		t.Error("the page shows the inside of an error")
	}
}

func TestHeadOfficeAwayIsSaidCalmly(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.agent.status = Status{HeadOffice: Offline, Waiting: 3, AllowUnsigned: true}
	got := d.get("/")
	for _, want := range []string{"Head office away, work goes on, 3 results waiting", "may run unsigned bots"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

// A full disk is said on every page, before anything else, in both languages.
func TestAFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	for level, want := range map[string]string{
		"ample": "may run unsigned bots", "low": "No new pictures are kept", "critical": "No new bot can start", "full": "full to the last byte",
	} {
		d.agent.status = Status{HeadOffice: Online, AllowUnsigned: true, Disk: level}
		if got := d.get("/"); !strings.Contains(got.body, want) {
			t.Errorf("%s: page lacks %q", level, want)
		}
		if level != "ample" && !d.panel.kit.Catalogue("zh-CN").Has("panel.banner.disk_"+level) {
			t.Errorf("%s has no text in Chinese", level)
		}
	}
}

func TestTextsUsedExist(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	texts := d.panel.kit.Catalogue("en")
	use := regexp.MustCompile(`(?:\bt |Text\()"([a-z_.]*[a-z_])"[ )},]`)
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range use.FindAllSubmatch(data, -1) {
				if !texts.Has(string(match[1])) {
					t.Errorf("%s: no text for %s", name, match[1])
				}
			}
		}
	}
}

func TestTextsOfFamiliesExist(t *testing.T) {
	t.Parallel()
	texts := openDesk(t).panel.kit.Catalogue("zh-CN")
	families := map[string][]string{
		"head_office.":    {Online, Offline, NotEnrolled},
		"panel.step.":     {"running", "done", "failed", "in_doubt"},
		"panel.evidence.": {"before_submit", "after_submit", "input", "failure"},
		"panel.wrong.":    {"text", "file", "choice", "date", "amount", "integer", "bool", "table"},
		"submit.":         {wire.SubmitAcknowledged, wire.SubmitAlreadyThere, wire.SubmitRejected, wire.SubmitRefused, wire.SubmitNotProcessed, wire.SubmitInDoubt},
	}
	for prefix, names := range families {
		for _, name := range names {
			if !texts.Has(prefix + name) {
				t.Errorf("no text for %s%s", prefix, name)
			}
		}
	}
}

func TestCataloguesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	kit := openDesk(t).panel.kit
	if diff := cmp.Diff(kit.Catalogue("zh-CN").Keys(), kit.Catalogue("en").Keys()); diff != "" {
		t.Errorf("keys differ (-zh-CN +en):\n%s", diff)
	}
}

func FuzzSealer(f *testing.F) {
	s := newSealer(testToken)
	f.Add(s.sign("session", "1 x"))
	f.Add("")
	f.Add(".")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, signed string) {
		text, ok := s.open("session", signed)
		if ok && s.sign("session", text) != signed {
			t.Errorf("opened what was not signed: %q", signed)
		}
	})
}

func FuzzCleanName(f *testing.F) {
	for _, seed := range []string{"王芳", " Li  Qiang ", "", "a\x00b", "\xff", strings.Repeat("长", 41)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, ok := cleanName(text)
		again, stays := cleanName(name)
		if ok && (!stays || again != name || name == "") {
			t.Errorf("cleanName(%q) = %q, again %q", text, name, again)
		}
	})
}

package ui

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/wire"
)

func testSite() fstest.MapFS {
	return fstest.MapFS{
		"templates/hello.html": {Data: []byte(`{{define "hello"}}<h1>{{t "hello.title"}}</h1><p>{{.Data}}</p>{{template "csrf" .CSRF}}{{end}}`)},
		"texts/zh-CN.yaml":     {Data: []byte("hello.title: 你好")},
		"texts/en.yaml":        {Data: []byte("hello.title: Hello")},
	}
}

func newKit(t *testing.T) *Kit {
	t.Helper()
	kit, err := New(testSite())
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return kit
}

func TestCataloguesHaveTheSameKeysAndVerbs(t *testing.T) {
	t.Parallel()
	kit := newKit(t)
	zh, en := kit.Catalogue("zh-CN"), kit.Catalogue("en")
	if diff := cmp.Diff(zh.Keys(), en.Keys()); diff != "" {
		t.Errorf("keys differ (-zh-CN +en):\n%s", diff)
	}
	verbs := regexp.MustCompile(`%[\[\]0-9.]*[a-z]|\{[a-z_]+\}`)
	for _, key := range zh.Keys() {
		got, want := verbs.FindAllString(zh.texts[key], -1), verbs.FindAllString(en.texts[key], -1)
		if len(got) != len(want) {
			t.Errorf("%s: zh-CN fills in %v, en %v", key, got, want)
		}
	}
}

func TestEveryFaultTextHasAHint(t *testing.T) {
	t.Parallel()
	c := newKit(t).Catalogue("en")
	for _, key := range c.Keys() {
		if strings.HasPrefix(key, "fault.") && !strings.HasSuffix(key, ".hint") && !c.Has(key+".hint") {
			t.Errorf("%s has no hint", key)
		}
	}
}

func TestTextsUsedInTemplatesExist(t *testing.T) {
	t.Parallel()
	c := newKit(t).Catalogue("en")
	use := regexp.MustCompile(`\bt "([^"]+)"`)
	names, err := fs.Glob(own, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range use.FindAllSubmatch(data, -1) {
			if !c.Has(string(match[1])) {
				t.Errorf("%s: no text for %s", name, match[1])
			}
		}
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	zh := newKit(t).Catalogue("zh-CN")
	zh.texts["fault.test_code"] = "缺少 {name}"
	cases := []struct {
		name, code, message, hint string
		facts                     map[string]string
		want                      FaultText
	}{
		{
			"known code", "test_code", "name is missing", "add it",
			map[string]string{"name": "姓名"},
			FaultText{Code: "test_code", Title: "缺少 姓名", Hint: "add it", Detail: "name is missing"},
		},
		{
			"unknown code keeps the message", "odd", "the bank says no", "ask", nil,
			FaultText{Code: "odd", Title: "the bank says no", Hint: "ask"},
		},
		{
			"nothing known", "odd", "", "", nil,
			FaultText{Code: "odd", Title: zh.Text("fault.internal"), Hint: zh.Text("fault.internal.hint")},
		},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, zh.Fault(c.code, c.message, c.hint, c.facts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestNewRefusesABadSite(t *testing.T) {
	t.Parallel()
	cases := map[string]func(fstest.MapFS){
		"a language is missing": func(s fstest.MapFS) { delete(s, "texts/en.yaml") },
		"a key is taken":        func(s fstest.MapFS) { s["texts/en.yaml"] = &fstest.MapFile{Data: []byte("product.name: x")} },
		"texts are not YAML":    func(s fstest.MapFS) { s["texts/en.yaml"] = &fstest.MapFile{Data: []byte("a: [")} },
		"a template is broken":  func(s fstest.MapFS) { s["templates/x.html"] = &fstest.MapFile{Data: []byte("{{")} },
	}
	for name, spoil := range cases {
		site := testSite()
		spoil(site)
		if _, err := New(site); err == nil {
			t.Errorf("%s: New gave no error", name)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, query, cookie, header, want string }{
		{"nothing known", "", "", "", "zh-CN"},
		{"header", "", "", "en-GB,en;q=0.9", "en"},
		{"header with a language we lack", "", "", "fr-FR, fr;q=0.9, en;q=0.8, zh;q=0.7", "en"},
		{"any Chinese", "", "", "zh-TW", "zh-CN"},
		{"cookie before header", "", "zh-CN", "en", "zh-CN"},
		{"query before cookie", "?lang=en", "zh-CN", "", "en"},
		{"odd query", "?lang=%3Cscript%3E", "", "en", "en"},
		{"odd cookie", "", "klingon", "en", "en"},
	}
	for _, c := range cases {
		r := httptest.NewRequest(http.MethodGet, "/"+c.query, nil)
		r.Header.Set("Accept-Language", c.header)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
		}
		w := httptest.NewRecorder()
		if got := Language(w, r); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if remembered := len(w.Result().Cookies()) == 1; remembered != strings.HasPrefix(c.query, "?lang=en") {
			t.Errorf("%s: cookie set: %v", c.name, remembered)
		}
	}
}

func FuzzLanguage(f *testing.F) {
	for _, seed := range []string{"en", "zh-CN,zh;q=0.9", ";;;", ",", "en;q=x", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := accepted(header); got != "en" && got != "zh-CN" {
			t.Errorf("accepted(%q) = %q", header, got)
		}
	})
}

func TestRenderEscapesAndSpeaksTheLanguage(t *testing.T) {
	t.Parallel()
	kit := newKit(t)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	page := Page{Name: "hello", Title: "hello.title", CSRF: `"x`, Person: "<b>Li</b>", Data: "<script>alert(1)</script>"}
	if err := kit.Render(w, r, http.StatusTeapot, page); err != nil {
		t.Fatalf("Render: %v", err)
	}
	body := w.Body.String()
	for _, want := range []string{"<h1>Hello</h1>", "&lt;script&gt;alert(1)", "&lt;b&gt;Li", `value="&#34;x"`, `lang="en"`, "/assets/tokens.css?v="} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q:\n%s", want, body)
		}
	}
	if w.Code != http.StatusTeapot || w.Header().Get("Content-Language") != "en" {
		t.Errorf("status %d, language %q", w.Code, w.Header().Get("Content-Language"))
	}
	if inline := regexp.MustCompile(`<style|<script>| style=| on[a-z]+=`).FindString(body); inline != "" {
		t.Errorf("page has %q inline", inline)
	}
}

func TestRenderWritesNothingWhenATemplateFails(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	err := newKit(t).Render(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, Page{Name: "no such"})
	if err == nil || w.Body.Len() != 0 {
		t.Errorf("error %v, %d bytes written", err, w.Body.Len())
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	kit := newKit(t)
	cases := []struct {
		name, path string
		status     int
		cache      string
	}{
		{"by its hash", kit.address("ui.css"), 200, forAYear},
		{"without hash", "/assets/ui.css", 200, askEveryTime},
		{"old hash", "/assets/ui.css?v=old", 200, askEveryTime},
		{"unknown", "/assets/none.js", 404, ""},
		{"not a folder up", "/assets/x/ui.css", 404, ""},
		{"not a source", "/assets/layout.html", 404, ""},
	}
	for _, c := range cases {
		w := httptest.NewRecorder()
		kit.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.status || w.Header().Get("Cache-Control") != c.cache {
			t.Errorf("%s: status %d, cache %q", c.name, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// The libraries are copied by assets.sh; where they are, they are what was reviewed.
func TestCopiedLibrariesAreTheReviewedOnes(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{".", "../bank"} {
		sums, err := os.ReadFile(filepath.Join(folder, "assets.sha256"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(sums)) {
			want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
			data, err := os.ReadFile(filepath.Join(folder, "assets", name))
			if errors.Is(err, fs.ErrNotExist) {
				t.Logf("%s is not copied here", name)
				continue
			}
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
				t.Errorf("%s/assets/%s differs from its checksum (or %v)", folder, name, err)
			}
		}
	}
}

func TestSecureAllowsNothingInline(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Secure(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	got := w.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(got, "default-src 'self';") || strings.Contains(got, "unsafe") {
		t.Errorf("policy %q", got)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, err := NewStream(w)
		if err != nil {
			t.Errorf("NewStream: %v", err)
			return
		}
		err = errors.Join(stream.HTML("<p>\r\nevent: end</p>"), stream.Beat(), stream.Event("end"))
		if err != nil {
			t.Errorf("send: %v", err)
		}
	}))
	defer server.Close()
	reply, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(bufio.NewReader(reply.Body))
	if err != nil {
		t.Fatal(err)
	}
	want := "data: <p>\ndata: event: end</p>\n\n: beat\n\nevent: end\ndata: -\n\n"
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

func TestEveryRunStateHasATextAndATone(t *testing.T) {
	t.Parallel()
	c := newKit(t).Catalogue("zh-CN")
	for _, s := range []wire.RunState{wire.Queued, wire.Running, wire.WaitingOn, wire.InDoubt, wire.Succeeded, wire.Failed, wire.Cancelled, wire.Missed} {
		if !c.Has("state."+string(s)) || !bytes.Contains([]byte("good busy warn bad calm"), []byte(Tone(s))) {
			t.Errorf("%s: text %q, tone %q", s, c.Text("state."+string(s)), Tone(s))
		}
	}
}

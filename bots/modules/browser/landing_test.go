//go:build linux

package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
	"go.starlark.net/starlark"

	"branchbot/internal/bank"
)

// What a site answers instead of the page: each a fault of its own, tried again
// where that may help.
func TestLandings(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/500":
			http.Error(w, "系统错误", http.StatusInternalServerError)
		case "/503":
			http.Error(w, "系统维护中", http.StatusServiceUnavailable)
		case "/429":
			http.Error(w, "忙", http.StatusTooManyRequests)
		case "/401":
			http.Error(w, "未登录", http.StatusUnauthorized)
		case "/403":
			http.Error(w, "无权访问", http.StatusForbidden)
		case "/404":
			http.NotFound(w, r)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/file":
			w.Header().Set("Content-Disposition", "attachment; filename=x.csv")
			_, _ = w.Write([]byte("a,b"))
		case "/scheme":
			http.Redirect(w, r, "bank-app://open", http.StatusFound)
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/moves":
			_, _ = w.Write([]byte("<title>x</title><script>location.replace('/ok')</script>"))
		default:
			_, _ = w.Write([]byte("<title>x</title><p id=was>ok</p>"))
		}
	}))
	t.Cleanup(s.Close)
	b := newBench(t, plainManifest, map[string]string{"core": s.URL, "other": s.URL}, (&site{Server: s}).pem())
	for _, tt := range []struct {
		path, code string
		retry      bool
	}{
		{"/500", "site_error", true}, {"/429", "site_error", true}, {"/503", "site_maintenance", true},
		{"/401", codeSignedOut, true}, {"/403", codeSignedOut, true}, {"/404", "page_missing", false},
		{"/loop", "redirect_loop", true}, {"/nothing", "no_page", false}, {"/file", "no_page", false},
		{"/scheme", "no_page", false}, {"/cut", "site_unreachable", true},
	} {
		b.TB = t
		for _, run := range []string{"def run(): browser.open(\"core:%s\")", "def run(): browser.open(\"core:/ok\").goto(\"%s\")"} {
			if e := b.fails(strings.ReplaceAll(run, "%s", tt.path), tt.code); e.Retryable != tt.retry || e.Hint == "" {
				t.Errorf("%s: %+v", tt.path, e)
			}
		}
	}
	if got := b.must("def run(): return browser.open(\"core:/moves\").text(\"#was\")"); got != starlark.String("ok") {
		t.Errorf("a page that moves on shows %s", got)
	}
}

func TestSiteCertificate(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": smallPage})
	b := newBench(t, plainManifest, map[string]string{"core": s.URL}, nil) // without its authority
	if e := b.fails("def run(): browser.open(\"core:/new\")", "site_certificate"); e.Retryable {
		t.Errorf("a certificate does not mend itself: %+v", e)
	}
}

// A session that ends while a page is worked with: the step is told so, and the
// next attempt signs in again.
func TestSignedOutHalfWay(t *testing.T) {
	t.Parallel()
	s, b := newBank(t, bank.Listen{TLS: true})
	const script = bankScript + `
def run():
    page = browser.open("core:/plain/accounts/new", login = "core")
    expire()
    page.goto("/plain/accounts/new")
    page.form("个人开户").fill({"姓名": "张三"})
def again():
    page = browser.open("core:/plain/accounts/new", login = "core")
    page.form("个人开户").fill({"姓名": "张三"})
`
	b.module.patience = 2 * time.Second
	expire := starlark.NewBuiltin("expire", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
		s.ExpireSessions()
		return starlark.None, nil
	})
	b.more = starlark.StringDict{"expire": expire}
	e := b.fails(script, codeSignedOut)
	if !e.Retryable {
		t.Errorf("got %+v", e)
	}
	b.module.Repair(t.Context(), e, 1)
	b.scope = &scope{path: "open account", attempt: 2}
	defer b.scope.end()
	if _, err := starlark.Call(thread(), b.globals["again"], nil, nil); err != nil {
		t.Errorf("the next attempt: %v\n%s", err, b.log)
	}
	if posts := s.Summary().Posts["/login"]; posts != 2 {
		t.Errorf("%d sign-ins, want 2", posts)
	}
}

const overlay = `document.body.insertAdjacentHTML('beforeend', '<div role=dialog style="position:fixed;inset:0;background:#ccc"><p>TEXT</p><button type=button onclick="this.parentElement.remove()">我知道了</button></div>')`

// Listed pop-ups are closed whenever they come; others stop the step and are named.
func TestPopups(t *testing.T) {
	t.Parallel()
	listed, stranger := strings.ReplaceAll(overlay, "TEXT", "今晚系统维护"), strings.ReplaceAll(overlay, "TEXT", "系统升级公告")
	const form = "const f = document.querySelector('form');"
	s := newSite(t, map[string]string{})
	b := s.bind(t, smallManifest)
	b.module.patience = 2 * time.Second
	for _, tt := range []struct{ name, script, code, says string }{ // one browser for all
		{"while it is filled", form + "f.mobile.addEventListener('input', () => { " + listed + " }, {once: true});", "", ""},
		{"when the last field is left", form + "f.product.addEventListener('change', () => setTimeout(() => { " + listed + " }, 50), {once: true});", "", ""},
		{"twice", listed + ";" + form + "f.mobile.addEventListener('input', () => { " + listed + " }, {once: true});", "", ""},
		{"a stranger", form + "f.product.addEventListener('change', () => { " + stranger + " });", "popup_unexpected", "系统升级公告"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.TB = t
			s.show("/new", small(tt.script))
			if tt.code == "" {
				b.must(smallRun)
			} else if e := b.fails(smallRun, tt.code); !e.Retryable || !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Hint, "on_popup") {
				t.Errorf("got %+v", e)
			}
			if sent := s.sent(); len(sent) > 1 || len(sent) == 1 != (tt.code == "") {
				t.Errorf("the site got %v", sent)
			}
		})
	}
}

// A pop-up that comes between the look and the press catches the click: that is
// seen, and the button is pressed again once it is closed.
func TestPopupCatchesThePress(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": smallPage})
	b := s.bind(t, smallManifest)
	b.load("def run(): return browser.open(\"core:/new\")")
	b.scope = &scope{path: "open account"}
	defer b.scope.end()
	value, err := starlark.Call(thread(), b.globals["run"], nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, tries := value.(*page), 0
	err = p.patiently(t.Context(), func() error {
		var at spot
		if err := p.tab.ask(t.Context(), &at, "submitButton", "", "", 1000); err != nil {
			return err
		}
		if tries++; tries == 1 {
			_, err := proto.RuntimeEvaluate{Expression: strings.ReplaceAll(overlay, "TEXT", "今晚系统维护")}.Call(p.tab.call(t.Context()))
			if err != nil {
				return err
			}
		}
		return p.press(t.Context(), at)
	})
	if err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// Dialogs that nobody expected are dismissed, told as events and get in nobody's
// way; leaving a page is allowed while we leave it, and only then.
func TestDialogs(t *testing.T) {
	t.Parallel()
	const ask = "addEventListener('beforeunload', (e) => { e.preventDefault(); e.returnValue = 'x'; });"
	pages := map[string]string{
		"/new":   small("let said = alert('请注意'); document.querySelector('form').mobile.addEventListener('input', () => { window.asked = [confirm('清空表单吗'), prompt('验证码')]; if (window.asked[0] || window.asked[1]) document.querySelector('form').reset(); });"),
		"/leave": small(ask + "document.querySelector('form').mobile.addEventListener('input', () => setTimeout(() => { location.href = '/other'; setTimeout(() => document.body.append('留在这里'), 100); }, 200));"),
		"/other": `<title>x</title><p id="was">other</p>`,
	}
	s := newSite(t, pages)
	b := s.bind(t, smallManifest)
	b.must(smallRun)
	if sent := s.sent(); len(sent) != 1 || sent[0].form["name"][0] != "张三" {
		t.Errorf("the site got %v", sent)
	}
	told := map[string]string{}
	for _, e := range b.events {
		if e.Kind == "dialog" {
			told[e.Name] = e.State + " " + e.Message
		}
	}
	if told["alert"] != "dismissed 请注意" || told["confirm"] != "dismissed 清空表单吗" || told["prompt"] != "dismissed 验证码" {
		t.Errorf("told %v", told)
	}
	got := b.must(`def run():
    page = browser.open("core:/leave")
    page.fill({"手机号": "13800000000"})
    page.wait(text = "留在这里")
    before = page.url
    page.goto("/other")
    return [before.endswith("/leave"), page.text("#was")]`)
	if got.String() != `[True, "other"]` {
		t.Errorf("got %s", got)
	}
}

// A person sees what the bot saw when a step failed, without what was secret.
func TestPictureOfAFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": smallPage})
	b := s.bind(t, smallManifest)
	for i, run := range []string{
		"def run(): browser.open(\"core:/new\").wait(text = \"never\", timeout = 0.2)",
		"def run(): browser.open(\"core:/nowhere\")",
	} {
		_, err := b.step(run)
		kept := 0
		for _, e := range b.evidence {
			if e.Kind == "failure" && e.Step == "open account" && len(e.Bytes) > 1000 {
				kept++
			}
		}
		if err == nil || kept != i+1 {
			t.Errorf("%v: %d pictures, want %d", err, kept, i+1)
		}
	}
}

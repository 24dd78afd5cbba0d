//go:build linux

package browser

import (
	"strings"
	"testing"
	"time"

	"branchbot/bots/host"
	"branchbot/internal/fault"
)

const smallPage = `<!doctype html><meta charset="utf-8"><title>小表单</title><h1>小表单</h1><form method="post" action="/api/native">
<label>客户姓名 <input name="name" maxlength="6"></label> <label>手机号 <input name="mobile"></label>
<label>产品 <select name="product"><option value="">请选择</option><option value="01">储蓄账户</option><option value="02">往来账户</option></select></label>
<button>提交</button></form>`

const smallManifest = plainManifest + `
inputs:
  product: {type: choice, of: [{value: savings, title: {zh-CN: 储蓄账户}}, {value: current, title: {zh-CN: 往来账户}}]}
submits:
  open:
    request: POST /api/native
    fields: {客户姓名: $.name, 手机号: $.mobile, 产品: {path: $.product, codes: {savings: "01", current: "02"}}}
    success: {text: 开户成功, receipt: {serial: "css:#serial"}}
    settle: 1s
    on_unknown: person
on_popup:
  - {text: 系统维护, press: 我知道了}
  - {text: 确认提交, press: 确定}
`

const smallRun = `
def run():
    page = browser.open("core:/new")
    form = page.form()
    form.fill({"客户姓名": "张三", "手机号": "13800000000", "产品": "savings"})
    return form.submit(key = ["k"])["serial"]
`

func small(script string) string { return smallPage + "<script>" + script + "</script>" }

// What stops a submit: nothing of it may reach the site.
func TestStoppedSubmits(t *testing.T) {
	t.Parallel()
	const form = "const f = document.querySelector('form');"
	tests := []struct{ name, script, code, says string }{
		{"altered on submit", form + "f.addEventListener('submit', () => { f.name.value = '李四'; });", "submit_mismatch", "客户姓名"},
		{"fields exchanged", form + "f.addEventListener('submit', () => { [f.name.name, f.mobile.name] = ['mobile', 'name']; });", "submit_mismatch", "手机号"},
		{"field added", form + "f.addEventListener('submit', () => { f.insertAdjacentHTML('beforeend', '<input name=extra value=1>'); });", "submit_mismatch", "extra"},
		{"submits while typed", form + "f.mobile.addEventListener('input', () => f.requestSubmit());", "premature", "before it was asked"},
		{"nothing is sent", form + "f.addEventListener('submit', (e) => e.preventDefault());", "nothing_sent", "nothing was sent"},
		{"another request is sent", form + "f.addEventListener('submit', (e) => { e.preventDefault(); fetch('/api/other', {method: 'POST'}); });", "nothing_sent", "write_not_listed"},
		{"unknown question", form + "f.addEventListener('submit', (e) => { if (!confirm('真的吗')) e.preventDefault(); });", "dialog_unexpected", "真的吗"},
	}
	s := newSite(t, map[string]string{})
	b := s.bind(t, smallManifest)
	b.module.deadline = time.Second
	for _, tt := range tests { // one browser for all
		t.Run(tt.name, func(t *testing.T) {
			b.TB = t
			s.show("/new", small(tt.script))
			e := b.fails(smallRun, tt.code)
			if !strings.Contains(e.Message, tt.says) {
				t.Errorf("%q does not say %q", e.Message, tt.says)
			}
			if sent := s.sent(); len(sent) != 0 {
				t.Errorf("the site got %v", sent)
			}
		})
	}
}

// Pages that get in the way, and are filled and submitted all the same.
func TestTroublesomePages(t *testing.T) {
	t.Parallel()
	const form = "const f = document.querySelector('form');"
	tests := []struct{ name, script string }{
		{"listed question", form + "f.addEventListener('submit', (e) => { if (!confirm('确认提交吗')) e.preventDefault(); });"},
		{"listed pop-up", "document.body.insertAdjacentHTML('beforeend', '<div style=\"position:fixed;inset:0;background:#ccc\"><p>今晚系统维护</p><button onclick=\"this.parentElement.remove()\">我知道了</button></div>');"},
		{"sends too early", form + "f.mobile.addEventListener('input', () => fetch('/api/native', {method: 'POST', body: new URLSearchParams(new FormData(f))}));"},
		{"redrawn once after a request", form + "fetch('/new').then(() => { const copy = f.cloneNode(true); f.replaceWith(copy); });"},
		{"loses a value once", form + "let once = 0; f.mobile.addEventListener('blur', () => { if (!once++) setTimeout(() => { f.mobile.value = ''; }); });"},
		{"loses a value late", form + "let once = 0; f.mobile.addEventListener('change', () => { if (!once++) fetch('/new').then(() => { f.mobile.value = ''; }); });"},
		{"late form", form + "f.remove(); setTimeout(() => document.body.append(f), 900);"},
		{"late choices", form + "const o = f.product.innerHTML; f.product.innerHTML = ''; f.mobile.addEventListener('change', () => setTimeout(() => { f.product.innerHTML = o; }, 300));"},
		{"stops its events", form + "f.addEventListener('input', (e) => e.stopPropagation());"},
		{"shadow root", form + "const h = document.createElement('div'); document.body.append(h); h.attachShadow({mode: 'open'}).append(f);"},
		{"sticky footer", form + "f.style.marginTop = '880px'; document.body.insertAdjacentHTML('beforeend', '<div style=\"position:fixed;bottom:0;left:0;right:0;height:300px;background:#ccc\">页脚</div><div style=\"height:900px\"></div>');"},
	}
	s := newSite(t, map[string]string{})
	b := s.bind(t, smallManifest)
	for _, tt := range tests { // one browser for all
		t.Run(tt.name, func(t *testing.T) {
			b.TB = t
			s.show("/new", small(tt.script))
			if got := b.must(smallRun); got.String() != `"S-1"` {
				t.Errorf("got %s", got)
			}
			if sent := s.sent(); len(sent) != 1 || sent[0].form["name"][0] != "张三" || sent[0].form["mobile"][0] != "13800000000" || sent[0].form["product"][0] != "01" {
				t.Errorf("the site got %v", sent)
			}
		})
	}
}

// What a script can do wrong, and what a page can lack: the code, and what it says.
func TestScriptErrors(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"/new":    smallPage,
		"/two":    smallPage + smallPage,
		"/locked": `<title>x</title><label>姓名 <input readonly value="a"></label>`,
		"/alert":  `<title>x</title><script>setTimeout(() => alert('系统错误'))</script>`,
	}
	const open = "def run():\n    page = browser.open(\"core:/new\")\n    "
	tests := []struct{ name, script, code, says, hint string }{
		{"unknown label", open + `page.fill({"姓": "张三"})`, "field_not_found", "姓", "客户姓名"},
		{"too long", open + `page.fill({"客户姓名": "欧阳张三李四王五"})`, "fill_mismatch", "takes 6 characters and was given 8", ""},
		{"no such choice", open + `page.fill({"产品": "基金"})`, "choice_not_offered", "产品", "储蓄账户"},
		{"wrong kind", open + `page.fill({"客户姓名": True})`, "fill_value", "takes text", ""},
		{"not data", open + `page.fill({"客户姓名": run})`, "fill_value", "not function", ""},
		{"no form", open + `page.form("大表单").fill({"客户姓名": "张"})`, "not_found", "大表单", "小表单"},
		{"nothing to press", open + `page.click("删除", timeout = 0.3)`, "not_found", "删除", "提交"},
		{"bad selector", open + `page.text("a[")`, "selector", "a[", ""},
		{"nothing there", open + `page.wait(text = "开户成功", timeout = 0.3)`, "not_found", "开户成功", ""},
		{"bad timeout", open + `page.wait(text = "x", timeout = -1)`, "timeout", "-1", ""},
		{"bad path", open + `page.goto("//evil.example/")`, "address", "no path", ""},
		{"no table", open + `page.table(timeout = 0.3)`, "not_found", "table", ""},
		{"two alike", `def run(): browser.open("core:/two").fill({"客户姓名": "张三"})`, "ambiguous", "2 fields", ""},
		{"read only", `def run(): browser.open("core:/locked").fill({"姓名": "张三"})`, "field_locked", "姓名", ""},
		{"alert", `def run(): browser.open("core:/alert").wait(text = "x", timeout = 5)`, "dialog_unexpected", "系统错误", "on_popup"},
		{"no page", `def run(): browser.open("core:/nowhere")`, "page_missing", "/nowhere", ""},
		{"no address", `def run(): browser.open("new")`, "address", "new", "site:/path"},
		{"unlisted site", `def run(): browser.open("other:/new")`, "capability_denied", "other", "capabilities"},
		{"whole URL", `def run(): browser.open("https://example.com/")`, "url_denied", "sites", ""},
		{"no login", `def run(): browser.open("core:/new", login = "core")`, "login_unknown", "core", ""},
		{"no submit", open + `page.form().submit("shut", key = ["k"])`, "submit_unknown", "shut", ""},
		{"empty key", open + `page.form().submit(key = [])`, "key", "empty", ""},
		{"probe inside", open + "page.form().submit(key = [1], probe = lambda key: None)", "probe", "top-level", ""},
	}
	s := newSite(t, pages)
	b := s.bind(t, smallManifest)
	b.module.patience = 300 * time.Millisecond
	for _, tt := range tests { // one browser for all: each is a step of its own
		b.TB = t
		e := b.fails(tt.script, tt.code)
		if !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%s: %q (%s) does not say %q (%s)", tt.name, e.Message, e.Hint, tt.says, tt.hint)
		}
	}
	if sent := s.sent(); len(sent) != 0 {
		t.Errorf("the site got %v", sent)
	}
}

func TestPagesEndWithTheirStep(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": smallPage})
	b := s.bind(t, smallManifest)
	page := b.must("def run(): return browser.open(\"core:/new\")")
	if len(b.module.pages) != 0 {
		t.Errorf("%d pages are open after the step", len(b.module.pages))
	}
	b.load("def use(page): page.click(\"提交\")")
	b.scope = &scope{path: "another"}
	if _, err := b.Call(thread(), b.globals["use"].(callable), page); !fault.HasCode(err, "page_outside_step") {
		t.Errorf("got %v", err)
	}
	b.scope = nil
	b.load("def run(): browser.open(\"core:/new\")")
	if _, err := b.Call(thread(), b.globals["run"].(callable)); !fault.HasCode(err, "page_outside_step") {
		t.Errorf("got %v", err)
	}
}

// A secret goes to its own origin only, and never to the script.
func TestSecrets(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"/login": `<title>x</title><form><label>用户名 <input name="u"></label><label>密码 <input name="p" type="password"></label><button type="button" onclick="document.body.append('Geheim-123456')">登录</button></form>`,
		"/new":   `<title>y</title><p>ok</p>`,
	}
	manifest := plainManifest + "logins:\n  core: {site: core, run: login_core, secret: core, request: POST /login}\n"
	const login = `
def login_core(page, secret):
    page.goto("/login")
    page.fill({"密码": secret.password})
    if str([secret, secret.password]) != "[secret(core), secret(core.password)]":
        fail(str(secret.password))
    page.click("登录")
    log.append(page.text())
log = []
def run():
    return browser.open("core:/new", login = "core").text()
`
	s := newSite(t, pages)
	b := s.bind(t, manifest)
	b.module.patience = time.Second
	b.secrets["core"] = host.Secret{Name: "core", Origin: "https://other.example", Values: map[string]string{"password": "Geheim-123456"}}
	b.fails(strings.Replace(login, "log.append", "str", 1), "secret_origin")
	b.secrets["core"] = host.Secret{Name: "core", Origin: s.URL, Values: map[string]string{"user": "x"}}
	b.fails(strings.Replace(login, "log.append", "str", 1), "secret_part_unknown")
	b.secrets["core"] = host.Secret{Name: "core", Origin: s.URL, Values: map[string]string{"password": "Geheim-123456"}}
	got := b.must(strings.Replace(login, "log.append(page.text())", "fail(page.text()) if \"Geheim\" in page.text() or \"••••\" not in page.text() else None", 1))
	if got.String() != `"ok"` {
		t.Errorf("got %s", got)
	}
	if strings.Contains(b.log.String(), "Geheim") {
		t.Error("the secret is in the log")
	}
}

func TestSiteDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	b := s.bind(t, smallManifest)
	s.Close()
	if e := b.fails("def run(): browser.open(\"core:/new\")", "site_unreachable"); e.Class != fault.Unreachable || !e.Retryable {
		t.Errorf("got %+v", e)
	}
	b.start.Origins["core"] = ""
	b.module.origins = map[string]string{}
	b.fails("def run(): browser.open(\"core:/new\")", "site_unbound")
}

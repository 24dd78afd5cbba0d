package bank_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/bank"
)

// visitor is a teller with net/http in place of a browser.
type visitor struct {
	t    *testing.T
	http *http.Client
	url  string
	csrf string
}

func start(t *testing.T, options bank.Options, how bank.Listen) (*bank.Site, *visitor) {
	t.Helper()
	options.Latency = -1
	site := bank.New(options)
	running, err := site.Start(t.Context(), how)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	transport := &http.Transport{ForceAttemptHTTP2: how.HTTP2}
	if how.TLS {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(running.CA)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	jar, _ := cookiejar.New(nil)
	v := &visitor{t: t, url: running.URL, http: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := running.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return site, v
}

type page struct {
	status   int
	location string
	body     string
}

func (v *visitor) do(method, path, contentType, body string) (page, error) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	reply, err := v.http.Do(r)
	if err != nil {
		return page{}, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return page{reply.StatusCode, reply.Header.Get("Location"), string(text)}, err
}

func (v *visitor) get(path string) page {
	v.t.Helper()
	p, err := v.do(http.MethodGet, path, "", "")
	if err != nil {
		v.t.Fatalf("GET %s: %v", path, err)
	}
	return p
}

func (v *visitor) form(path string, values url.Values) page {
	v.t.Helper()
	p, err := v.do(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
	if err != nil {
		v.t.Fatalf("POST %s: %v", path, err)
	}
	return p
}

var hidden = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (v *visitor) signIn() *visitor {
	v.t.Helper()
	token := hidden.FindStringSubmatch(v.get("/login").body)[1]
	p := v.form("/login", url.Values{"csrf": {token}, "username": {bank.DefaultUser}, "password": {bank.DefaultPassword}})
	if p.status != http.StatusSeeOther || p.location != "/accounts/new" {
		v.t.Fatalf("sign-in: %+v", p)
	}
	v.csrf = hidden.FindStringSubmatch(v.get("/plain/accounts/new").body)[1]
	return v
}

func (v *visitor) fields(change map[string]string) map[string]string {
	fields := map[string]string{
		"action": "create", "channel": "branch", "csrf": v.csrf, "timestamp": "1", "name": "张三", "idType": "01", "idNumber": "310101199001011234",
		"birth": "1990-01-01", "sex": "M", "ethnicity": "汉", "address": "上海市", "mobile": "13800138000", "occupation": "01",
		"product": "01", "currency": "CNY", "branch": "3101", "sms": "true", "ebank": "false", "remark": "",
	}
	for name, value := range change {
		fields[name] = value
	}
	return fields
}

func (v *visitor) openJSON(change map[string]string) (page, error) {
	v.t.Helper()
	body, err := json.Marshal(v.fields(change))
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(http.MethodPost, "/api/accounts", "application/json", string(body))
}

func (v *visitor) openPlain(change map[string]string) page {
	values := url.Values{}
	for name, value := range v.fields(change) {
		values.Set(name, value)
	}
	return v.form("/plain/accounts", values)
}

func TestEverythingNeedsASession(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{})
	for _, path := range []string{"/accounts/new", "/plain/accounts/new", "/accounts?number=1", "/api/accounts?number=1", "/accounts/6217"} {
		if p := v.get(path); p.status != http.StatusFound || p.location != "/login?next="+url.QueryEscape(path) {
			t.Errorf("GET %s: %d %s", path, p.status, p.location)
		}
	}
	if p, err := v.openJSON(nil); err != nil || p.status != http.StatusFound || p.location != "/login" {
		t.Errorf("POST without session: %+v, %v", p, err)
	}
	if n := len(site.Records()); n != 0 {
		t.Errorf("%d records without a session", n)
	}
}

func TestSignInRefuses(t *testing.T) {
	t.Parallel()
	_, v := start(t, bank.Options{}, bank.Listen{})
	token := hidden.FindStringSubmatch(v.get("/login").body)[1]
	cases := []struct{ name, csrf, user, password, next, want string }{
		{"wrong password", token, bank.DefaultUser, "x", "", "用户名或密码不正确"},
		{"wrong token", "x", bank.DefaultUser, bank.DefaultPassword, "", "已失效"},
	}
	for _, c := range cases {
		p := v.form("/login", url.Values{"csrf": {c.csrf}, "username": {c.user}, "password": {c.password}})
		if p.status != http.StatusOK || !strings.Contains(p.body, c.want) {
			t.Errorf("%s: %d, page lacks %q", c.name, p.status, c.want)
		}
	}
	token = hidden.FindStringSubmatch(v.get("/login").body)[1]
	p := v.form("/login", url.Values{"csrf": {token}, "username": {bank.DefaultUser}, "password": {bank.DefaultPassword}, "next": {"//evil.example"}})
	if p.location != "/accounts/new" {
		t.Errorf("next leads away: %s", p.location)
	}
}

func TestOpenAccount(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change map[string]string
		status int
		want   string
		stored bool
	}{
		{"right", nil, 200, `"code":0`, true},
		{"same customer, other product", map[string]string{"product": "02"}, 200, `"code":0`, true},
		{"same customer and product", nil, 200, `{"code":1203,"msg":"该客户已开立同类账户"}`, false},
		{"declined name", map[string]string{"name": "拒小明", "idNumber": "X12345"}, 200, `"code":1203`, false},
		{"small letters in the number", map[string]string{"idNumber": "x12345"}, 400, `"code":4001`, false},
		{"no name", map[string]string{"name": ""}, 400, `"code":4001`, false},
		{"date as the screen shows it", map[string]string{"birth": "1990/01/01"}, 400, `"code":4001`, false},
		{"wrong token", map[string]string{"csrf": "x"}, 403, `"code":4003`, false},
	}
	site, v := start(t, bank.Options{}, bank.Listen{})
	v.signIn()
	for _, c := range cases {
		before := len(site.Records())
		p, err := v.openJSON(c.change)
		if err != nil || p.status != c.status || !strings.Contains(p.body, c.want) {
			t.Errorf("%s: %d %s %v", c.name, p.status, p.body, err)
		}
		if stored := len(site.Records()) > before; stored != c.stored {
			t.Errorf("%s: stored %v", c.name, stored)
		}
	}
	if got := site.Submissions(); got != len(cases) {
		t.Errorf("%d submissions counted, want %d", got, len(cases))
	}
}

func TestPlainFormAndLookUp(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{})
	v.signIn()
	p := v.openPlain(nil)
	no := site.Records()[0].No
	if p.status != http.StatusSeeOther || p.location != "/accounts/"+no {
		t.Fatalf("open: %d %s", p.status, p.location)
	}
	cases := []struct{ name, path, want string }{
		{"result", p.location, `<dd id="account-no">` + no},
		{"found", "/accounts?number=310101199001011234&product=01", `<td class="account_no" headers="account_no">` + no},
		{"found in any product", "/accounts?number=310101199001011234", `data-count="1"`},
		{"other product", "/accounts?number=310101199001011234&product=02", "没有找到账户"},
		{"nobody", "/accounts?number=1", `data-count="0"`},
		{"as JSON", "/api/accounts?number=310101199001011234", `"accountNo":"` + no},
		{"what it received", "/received", "13800138000"},
		{"records", "/__records", `"key":{"number":"310101199001011234","product":"01"}`},
		{"requests", "/__requests", `"submissions":1`},
	}
	for _, c := range cases {
		if got := v.get(c.path); got.status != http.StatusOK || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d, page lacks %q:\n%s", c.name, got.status, c.want, got.body)
		}
	}
	p = v.openPlain(nil)
	if p.status != http.StatusOK || !strings.Contains(p.body, `<dd id="error-message">该客户已开立同类账户`) {
		t.Errorf("duplicate: %d %s", p.status, p.body)
	}
}

func TestCutsOnAWarmConnection(t *testing.T) {
	t.Parallel()
	ways := map[string]bank.Listen{"plain": {}, "h1": {TLS: true}, "h2": {TLS: true, HTTP2: true}}
	for name, how := range ways {
		for _, when := range []string{bank.Before, bank.After} {
			for _, reset := range []bool{false, true} {
				t.Run(strings.Join([]string{name, when, map[bool]string{true: "rst", false: "fin"}[reset]}, " "), func(t *testing.T) {
					t.Parallel()
					site, v := start(t, bank.Options{AllowDuplicates: true}, how)
					v.signIn()
					site.SetFault(bank.Fault{Kind: bank.Cut, When: when, Warm: true, Reset: reset})
					if p, err := v.openJSON(nil); err == nil {
						t.Fatalf("answered: %+v", p)
					}
					if got := len(site.Records()) == 1; got != (when == bank.After) {
						t.Errorf("stored: %v", got)
					}
					sum := site.Summary()
					if sum.Submissions != 1 || sum.Cut != 1 || !sum.Log[len(sum.Log)-1].Warm {
						t.Errorf("summary %+v", sum)
					}
					if p, err := v.openJSON(nil); err != nil || p.status != http.StatusOK {
						t.Errorf("the fault stayed: %+v, %v", p, err)
					}
					protocol := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[how.HTTP2]
					if got := site.Requests()[0].Protocol; got != protocol {
						t.Errorf("protocol %s, want %s", got, protocol)
					}
				})
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		fault  bank.Fault
		status int
		stored int
	}{
		{"error before", bank.Fault{Kind: bank.Error}, 500, 0},
		{"error after", bank.Fault{Kind: bank.Error, When: bank.After}, 500, 1},
		{"expired", bank.Fault{Kind: bank.Expire}, 302, 0},
		{"slow", bank.Fault{Kind: bank.Slow, DelayMS: 1}, 200, 1},
		{"another path", bank.Fault{Kind: bank.Error, Path: "/accounts"}, 200, 1},
		{"cold connections are spared nothing", bank.Fault{Kind: bank.Error, Warm: true}, 500, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			site, v := start(t, bank.Options{}, bank.Listen{})
			v.signIn()
			site.SetFault(c.fault)
			p, err := v.openJSON(nil)
			if err != nil || p.status != c.status || len(site.Records()) != c.stored {
				t.Errorf("status %d, %d stored, %v", p.status, len(site.Records()), err)
			}
		})
	}
}

func TestHangEndsWithTheClientOrTheFault(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{})
	v.signIn()
	site.SetFault(bank.Fault{Kind: bank.Hang, When: bank.After})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	body, _ := json.Marshal(v.fields(nil))
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, v.url+"/api/accounts", bytes.NewReader(body))
	if reply, err := v.http.Do(r); err == nil {
		t.Errorf("answered %d", reply.StatusCode)
	}
	if n := len(site.Records()); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestFaultsAreSwitchedOverHTTP(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{})
	v.signIn()
	cases := []struct {
		name, body string
		status     int
	}{
		{"on", `{"kind":"error","times":-1}`, 200},
		{"unknown kind", `{"kind":"explode"}`, 400},
		{"unknown field", `{"kind":"error","often":1}`, 400},
		{"no JSON", `kind=error`, 400},
	}
	for _, c := range cases {
		if p, err := v.do(http.MethodPost, "/__faults", "application/json", c.body); err != nil || p.status != c.status {
			t.Errorf("%s: %d %v", c.name, p.status, err)
		}
	}
	for range 2 {
		if p, err := v.openJSON(nil); err != nil || p.status != 500 {
			t.Errorf("with the fault: %d %v", p.status, err)
		}
	}
	if _, err := v.do(http.MethodDelete, "/__faults", "", ""); err != nil {
		t.Fatal(err)
	}
	if p, err := v.openJSON(nil); err != nil || p.status != 200 {
		t.Errorf("without the fault: %d %v", p.status, err)
	}
	if _, err := v.do(http.MethodPost, "/__reset", "", ""); err != nil || len(site.Records()) != 0 || len(site.Requests()) != 0 {
		t.Errorf("after the reset: %d records, %v", len(site.Records()), err)
	}
}

func TestRecordsKeepWhatWasSent(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{})
	v.signIn()
	if _, err := v.openJSON(nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name := range site.Records()[0].Body {
		got[name] = site.Records()[0].Text(name)
	}
	if diff := cmp.Diff(v.fields(nil), got); diff != "" {
		t.Errorf("body (-sent +kept):\n%s", diff)
	}
}

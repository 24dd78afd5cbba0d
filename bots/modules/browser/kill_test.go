//go:build linux

package browser

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/bank"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

const killManifest = `
name: kill
version: 1.0.0
title: Killed while it works
capabilities: {sites: [core], secrets: [core]}
retry: {attempts: 4, backoff: 10ms}
logins:
  core: {site: core, run: login_core, secret: core, request: POST /login}
submits:
  element:
    request: POST /api/accounts
    fields:
      姓名: $.name
      证件类型: {path: $.idType, codes: {居民身份证: "01"}}
      证件号码: $.idNumber
      出生日期: {path: $.birth, format: YYYY-MM-DD}
      性别: {path: $.sex, codes: {女: F}}
      手机号: $.mobile
      产品: {path: $.product, codes: {储蓄: "01"}}
      开户机构: {path: $.branch, codes: {园区支行: "3205"}}
    constant: {$.action: create, $.channel: branch}
    ignore: [$.csrf, $.timestamp, $.ethnicity, $.address, $.occupation, $.currency, $.remark, $.sms, $.ebank]
    success: {where: {$.code: 0}, receipt: {account_no: $.data.accountNo}}
    settle: 100ms
    on_unknown: person
  plain:
    request: POST /plain/accounts
    fields:
      姓名: $.name
      证件类型: {path: $.idType, codes: {居民身份证: "01"}}
      证件号码: $.idNumber
      出生日期: {path: $.birth, format: YYYY-MM-DD}
      性别: {path: $.sex, codes: {女: F}}
      手机号: $.mobile
      产品: {path: $.product, codes: {储蓄: "01"}}
      开户机构: {path: $.branch, codes: {园区支行: "3205"}}
    constant: {$.action: create, $.channel: branch}
    ignore: [$.csrf, $.timestamp, $.ethnicity, $.address, $.occupation, $.currency, $.remark]
    success: {text: 开户成功, receipt: {account_no: "css:#account-no"}}
    settle: 100ms
    on_unknown: person
`

const killScript = `
def login_core(page, secret):
    page.fill({"用户名": secret.username, "密码": secret.password})
    page.click("登录")

def find_account(key):
    page = browser.open("core:/accounts?number=%s&product=01" % key[0], login = "core")
    page.wait(text = "账户查询")
    if page.count("#none") == 1:
        return None
    rows = page.table("#accounts")
    return {"account_no": rows[0]["账号"]} if len(rows) == 1 else unsure("%d accounts" % len(rows))

def open_account():
    page = browser.open("core:PAGE/accounts/new", login = "core")
    form = page.form("个人开户")
    form.fill({"姓名": "张三", "证件类型": "居民身份证", "证件号码": "31010119900101123X", "出生日期": "1990-01-01",
        "性别": "女", "手机号": "13800000000", "产品": "储蓄", "开户机构": "园区支行"})
    return form.submit("SUBMIT", key = ["31010119900101123X"], probe = find_account)

def run(input):
    return step("open account", open_account)
`

// victim is a run with the sample bank, whose browser something happens to.
type victim struct {
	*testing.T
	*hosttest.Host
	site   *bank.Site
	config engine.Config
	module *module
	point  string // where it happens, once
	do     func(*victim)

	mu   sync.Mutex
	done bool
	seen []procs.Process
}

func newVictim(t *testing.T, page string) *victim {
	t.Helper()
	v := &victim{T: t, Host: &hosttest.Host{Run: "run_kill"}}
	v.site = bank.New(bank.Options{Mood: func() bank.Fault {
		v.at("sending")
		return bank.Fault{Kind: bank.Slow, DelayMS: 100}
	}})
	running, err := v.site.Start(t.Context(), bank.Listen{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	v.Secrets = map[string]host.Secret{"core": {Name: "core", Origin: running.URL, Values: map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword}}}
	path := map[string]string{"plain": "/plain", "element": ""}[page]
	script := strings.NewReplacer("PAGE", path, "SUBMIT", page).Replace(killScript)
	p, err := pack.FromFS(fstest.MapFS{pack.ManifestFile: {Data: []byte(killManifest)}, pack.MainFile: {Data: []byte(script)}})
	if err != nil {
		t.Fatal(err)
	}
	v.config = engine.Config{
		Pack: p, Host: v, Logger: slog.New(pressed{slog.DiscardHandler, v}),
		Modules: []modules.Factory{{Name: "browser", New: func(rt modules.Runtime) modules.Module {
			v.module = newModule(rt)
			return v.module
		}}},
		Start: &host.Start{
			Run: "run_kill", Trust: "embedded", Scratch: scratch(t), Origins: map[string]string{"core": running.URL}, Roots: running.CA,
			Browser: host.BrowserSettings{Helper: []string{"/proc/self/exe", "__browser"}},
		},
	}
	return v
}

// at is called at every point that has a name; what is to happen happens once.
func (v *victim) at(point string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if point != v.point || v.done {
		return
	}
	v.done = true
	v.seen = append(v.seen, family(v.T, v.module.browser.process.pid)...)
	v.do(v)
}

// Append notes when a record is on disk.
func (v *victim) Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error) {
	written, err := v.Host.Append(ctx, record)
	v.at(string(record.Kind))
	return written, err
}

// PutEvidence notes when a picture is taken: the one before the press comes right before it.
func (v *victim) PutEvidence(ctx context.Context, e host.Evidence) (wire.EvidenceRef, error) {
	v.at(e.Kind)
	return v.Host.PutEvidence(ctx, e)
}

// pressed notes what the module logs.
type pressed struct {
	slog.Handler
	v *victim
}

func (p pressed) Enabled(context.Context, slog.Level) bool { return true }

func (p pressed) WithAttrs([]slog.Attr) slog.Handler { return p }

func (p pressed) Handle(_ context.Context, r slog.Record) error {
	p.v.at(r.Message)
	return nil
}

// finish runs it, and sees that the site got the form once and nothing is left.
// What reached it without a session, and was found absent by the look-up, was
// sent again and rightly so.
func (v *victim) finish() host.Finish {
	v.Helper()
	f := engine.Run(v.Context(), v.config)
	records, sent := v.site.Records(), v.site.Submissions()
	for _, r := range v.Journal() {
		if r.Kind == wire.RecordReconciled && strings.Contains(string(r.Data), wire.SubmitNotProcessed) {
			sent--
		}
	}
	if f.State != wire.Succeeded || len(records) != 1 || sent != 1 || !strings.Contains(string(f.Output), records[0].No) {
		v.Errorf("%s %s %+v: %d records, %d submissions\n%v", f.State, f.Output, f.Exception, len(records), sent, v.kinds())
	}
	if body := records[:min(1, len(records))]; len(body) == 1 && (body[0].Text("name") != "张三" || body[0].Text("mobile") != "13800000000" || body[0].Text("branch") != "3205") {
		v.Errorf("the site has %v", body[0].Body)
	}
	nobody(v, v.seen, v.config.Start.Scratch)
	return f
}

func (v *victim) kinds() []string {
	var kinds []string
	for _, r := range v.Journal() {
		kinds = append(kinds, fmt.Sprintf("%s#%d", r.Kind, r.Key.Attempt))
	}
	return kinds
}

// The browser is killed at every stage of a submit. The site receives the form
// once, whatever the moment; the guard's journal decides what is done again.
func TestKilledAroundTheSubmit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, page, point string
		records           string // of the submit, as far as they are certain
	}{
		{"before the press", "plain", "before_submit", "intent#1 outcome#1 result#1 timer#1 intent#2"},
		{"between press and request", "element", "submit button pressed", ""},
		{"the request may be under way", "plain", "submit button pressed", ""},
		{"while the request is held", "plain", "prepared", "intent#1 prepared#1"},
		{"while the site works on it", "element", "sending", "intent#1 prepared#1"},
		{"after the reply", "plain", "outcome", "intent#1 prepared#1 outcome#1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, tt.page)
			v.point, v.do = tt.point, func(v *victim) {
				signal(t, v.module.browser.process.main(t), syscall.SIGKILL)
			}
			v.finish()
			if got := strings.Join(v.kinds(), " "); !strings.HasPrefix(got, tt.records) || !v.done {
				t.Errorf("the journal has %s, want %s…", got, tt.records)
			}
		})
	}
}

// Any process of the browser dies at any moment: the run ends right.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	times := soak.Times(t, 2)
	began := time.Now()
	for i := range times {
		page := []string{"plain", "element"}[r.IntN(2)]
		after, pick := time.Duration(r.IntN(3000))*time.Millisecond, r.Float64()
		t.Run(fmt.Sprintf("%d", i), func(t *testing.T) {
			v := newVictim(t, page)
			stop := make(chan struct{})
			var work sync.WaitGroup
			v.point, v.do = "browser started", func(v *victim) {
				pid := v.module.browser.process.pid
				work.Go(func() { killOne(t, pid, after, pick, stop) })
			}
			v.finish()
			close(stop)
			work.Wait()
		})
	}
	soak.Report(t, map[string]any{"kills": times, "seconds": time.Since(began).Seconds()})
}

// killOne kills one process of a browser after a while: the keeper too.
func killOne(t *testing.T, keeper int, after time.Duration, pick float64, stop <-chan struct{}) {
	select {
	case <-time.After(after):
	case <-stop:
		return
	}
	tree := family(t, keeper)
	if len(tree) == 0 {
		return // the run was over before
	}
	one := tree[int(pick*float64(len(tree)))]
	t.Logf("after %s: %.200s", after, one)
	if err := syscall.Kill(one.PID, syscall.SIGKILL); err != nil && !os.IsNotExist(err) {
		t.Log(err)
	}
}

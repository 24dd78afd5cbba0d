//go:build linux

package browser

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.starlark.net/starlark"

	"branchbot/bots/host"
	"branchbot/internal/bank"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
)

const bankManifest = plainManifest + `
logins:
  core: {site: core, run: login_core, secret: core, request: POST /login}
submits:
  open:
    request: {request: POST /api/accounts, where: {$.action: create}}
    fields:
      姓名: $.name
      证件类型: {path: $.idType, codes: {居民身份证: "01"}}
      证件号码: $.idNumber
      出生日期: {path: $.birth, format: YYYY-MM-DD}
      性别: {path: $.sex, codes: {男: M, 女: F}}
      民族: $.ethnicity
      住址: $.address
      手机号: $.mobile
      职业: {path: $.occupation, codes: {企业职员: "01", 公务员: "02", 个体经营: "03", 学生: "04", 其他: "99"}}
      产品: {path: $.product, codes: {储蓄: "01", 往来: "02"}}
      币种: {path: $.currency, codes: {人民币: CNY, 美元: USD, 港币: HKD}}
      开户机构: {path: $.branch, codes: {浦东支行: "3101", 徐汇支行: "3102", 园区支行: "3205"}}
      短信通知: $.sms
      电子银行: $.ebank
      备注: $.remark
    constant: {$.action: create, $.channel: branch}
    ignore: [$.csrf, $.timestamp]
    success: {where: {$.code: 0}, receipt: {account_no: $.data.accountNo}}
    reject: {where: {$.code: 1203}, message: $.msg}
    settle: 100ms
    on_unknown: person
`

const bankScript = `
def login_core(page, secret):
    page.fill({"用户名": secret.username, "密码": secret.password})
    page.click("登录")

def find_account(key):
    page = browser.open("core:/accounts?number=%s&product=%s" % (key[0], key[1]), login = "core")
    page.wait(text = "账户查询")
    if page.count("#none") == 1:
        return None
    rows = page.table("#accounts")
    if len(rows) != 1:
        return unsure("%d accounts" % len(rows))
    return {"account_no": rows[0]["账号"]}

VALUES = {"姓名": "张三", "证件类型": "居民身份证", "证件号码": "31010119900101123x", "出生日期": "1990-01-01", "性别": "女",
    "民族": "汉", "住址": "上海市浦东新区示例路1号", "手机号": "13800000000", "职业": "学生", "产品": "储蓄", "币种": "美元",
    "开户机构": "园区支行", "短信通知": True, "电子银行": False, "备注": "现场办理"}
`

const bankRun = bankScript + `
def run():
    page = browser.open("core:/accounts/new", login = "core")
    form = page.form("个人开户")
    report = form.fill(VALUES)
    receipt = form.submit(key = [VALUES["证件号码"].upper(), "01"], probe = find_account)
    return [receipt["account_no"], report["fields"]]
`

// newBank starts the sample bank and a run that is bound to it.
func newBank(t testing.TB, how bank.Listen) (*bank.Site, *bench) {
	t.Helper()
	if missing := bank.Missing(); len(missing) > 0 {
		t.Fatalf("the front-end files %v are missing: run internal/ui/assets.sh", missing)
	}
	s := bank.New(bank.Options{})
	running, err := s.Start(t.Context(), how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	b := newBench(t, bankManifest, map[string]string{"core": running.URL}, running.CA)
	b.secrets["core"] = host.Secret{Name: "core", Origin: running.URL, Values: map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword}}
	return s, b
}

func TestElementPlusForm(t *testing.T) {
	t.Parallel()
	s, b := newBank(t, bank.Listen{TLS: true})
	got := b.must(bankRun)
	records := s.Records()
	if len(records) != 1 || s.Submissions() != 1 {
		t.Fatalf("%d records, %d submissions, want one", len(records), s.Submissions())
	}
	if !strings.Contains(got.String(), records[0].No) {
		t.Errorf("receipt %s, want %s", got, records[0].No)
	}
	body := records[0].Body
	delete(body, "csrf")
	delete(body, "timestamp")
	want := map[string]any{
		"action": "create", "channel": "branch", "name": "张三", "idType": "01", "idNumber": "31010119900101123X",
		"birth": "1990-01-01", "sex": "F", "ethnicity": "汉", "address": "上海市浦东新区示例路1号", "mobile": "13800000000", "occupation": "04",
		"product": "01", "currency": "USD", "branch": "3205", "sms": true, "ebank": false, "remark": "现场办理",
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
	kinds := []wire.RecordKind{wire.RecordIntent, wire.RecordPrepared, wire.RecordOutcome}
	if diff := cmp.Diff(kinds, b.scope.kinds()); diff != "" {
		t.Error(diff)
	}
	b.noSecret()
	for _, e := range b.events {
		t.Logf("%s: %d fields, %d healed, %d ms", e.Name, e.Form.Fields, e.Form.Healed, e.Form.MS)
	}
	keep(t, b)
}

// noSecret sees that the password is in nothing that was kept.
func (b *bench) noSecret() {
	b.Helper()
	kept := b.log.String()
	for _, record := range b.scope.records {
		kept += string(record.Data)
	}
	for _, e := range b.events {
		kept += e.Message + e.Name
	}
	if strings.Contains(kept, bank.DefaultPassword) {
		b.Error("the password is in the log, the journal or an event")
	}
	for _, e := range b.evidence {
		if len(e.Bytes) == 0 || !bytes.HasPrefix(e.Bytes, []byte("\xff\xd8")) {
			b.Errorf("evidence %s is no picture", e.Kind)
		}
	}
}

// The site stores and cuts the warm connection: one record, found by the look-up.
func TestCutAfterStoring(t *testing.T) {
	t.Parallel()
	for _, how := range []struct {
		name string
		bank.Listen
	}{{"http1", bank.Listen{TLS: true}}, {"http2", bank.Listen{TLS: true, HTTP2: true}}} {
		t.Run(how.name, func(t *testing.T) {
			t.Parallel()
			s, b := newBank(t, how.Listen)
			s.SetFault(bank.Fault{Kind: "cut", When: "after", Times: -1})
			got := b.must(bankRun)
			if records := s.Records(); len(records) != 1 || s.Submissions() != 1 || !strings.Contains(got.String(), records[0].No) {
				t.Errorf("%d records, %d submissions, receipt %s", len(records), s.Submissions(), got)
			}
			want := []wire.RecordKind{wire.RecordIntent, wire.RecordPrepared, wire.RecordUnknown, wire.RecordReconciled}
			if diff := cmp.Diff(want, b.scope.kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A runner died after PREPARED: the next one looks the record up and opens no form.
func TestSettleAfterCrash(t *testing.T) {
	t.Parallel()
	s, b := newBank(t, bank.Listen{TLS: true})
	b.must(bankRun)
	before := b.scope.records[:2]
	for i := range before {
		before[i].Up = uptime.Now()
		before[i].Up.MS -= time.Hour.Milliseconds()
	}
	next := newBench(t, bankManifest, b.start.Origins, b.start.Roots)
	next.secrets = b.secrets
	next.load(bankScript)
	next.scope = &scope{path: "open account", attempt: 2, records: before}
	receipt, found, err := next.module.Settle(&starlark.Thread{}, next.scope)
	if err != nil || !found || receipt["account_no"] != s.Records()[0].No {
		t.Errorf("got %v %v %v\n%s", receipt, found, err, next.log)
	}
	next.scope.end()
	if len(s.Records()) != 1 {
		t.Errorf("%d records", len(s.Records()))
	}
	s.Reset()
	next.module.Close()
	next.scope = &scope{path: "open account", attempt: 2, records: before[:2:2]}
	if _, found, err := next.module.Settle(&starlark.Thread{}, next.scope); err != nil || found {
		t.Errorf("nothing is there, got %v %v", found, err)
	}
}

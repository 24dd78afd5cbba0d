//go:build linux

package browser

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const nativePage = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>开户</title><body><h1>个人客户开户</h1>
<form method="post" action="/api/native">
<p><label for="a">客户姓名：</label><input id="a" name="name" required></p>
<p><label>证件号码 <input name="number" maxlength="18"></label></p>
<table><tr><td>手机号</td><td><input name="mobile" type="tel"></td></tr></table>
<p><input name="mail" type="email" placeholder="电子邮箱"></p>
<p><input name="secret" type="password" aria-label="密码"></p>
<p><label for="n">金额</label><input id="n" name="amount" type="number" step="0.01"></p>
<p><label for="d">出生日期</label><input id="d" name="birth" type="date"></p>
<p><label for="s">证件类型</label><select id="s" name="kind"><option value="">请选择</option><option value="01">居民身份证</option><option value="02">护照</option></select></p>
<p>性别 <label><input type="radio" name="sex" value="M">男</label> <label><input type="radio" name="sex" value="F">女</label></p>
<p><label><input type="checkbox" name="sms" value="1"> 短信通知</label></p>
<p><label><input type="checkbox" name="bill" value="1" checked> 电子账单</label></p>
<p><label for="r">备注</label><textarea id="r" name="remark"></textarea></p>
<p style="display:none"><label>客户姓名<input name="other"></label></p>
<p><button type="submit">提 交</button></p></form></body></html>`

const nativeManifest = plainManifest + `
submits:
  open:
    request: POST /api/native
    fields: {客户姓名: $.name, 证件号码: $.number, 手机号: $.mobile, 电子邮箱: $.mail, 金额: $.amount, 出生日期: $.birth,
      证件类型: {path: $.kind, codes: {居民身份证: "01", 护照: "02"}}, 性别: {path: $.sex, codes: {男: M, 女: F}},
      短信通知: {path: $.sms, codes: {"true": "1", "false": ""}},
      电子账单: {path: $.bill, codes: {"true": "1", "false": ""}}, 备注: $.remark}
    ignore: [$.secret, $.other]
    success: {text: 开户成功, receipt: {serial: "css:#serial"}}
    settle: 1s
    on_unknown: person
`

const nativeFill = `
def run():
    page = browser.open("core:/new")
    form = page.form("个人客户开户")
    report = form.fill({"客户姓名": "张三", "证件号码": "310101199001011234", "手机号": "13800000000", "电子邮箱": "a@example.com",
        "金额": "1234.50", "出生日期": "1990-01-01", "证件类型": "护照", "性别": "女", "短信通知": True, "电子账单": False, "备注": "第一行，第二行"})
`

func TestNativeForm(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/new": nativePage})
	b := s.bind(t, nativeManifest)
	got := b.must(nativeFill + `
    receipt = form.submit(key = ["310101199001011234"], button = None)
    return [receipt["serial"], report["fields"]["手机号"]["by"], report["fields"]["电子邮箱"]["by"], page.text("#serial")]
`)
	if want := `["S-1", "nearby", "placeholder", "S-1"]`; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := map[string][]string{
		"name": {"张三"}, "number": {"310101199001011234"}, "mobile": {"13800000000"}, "mail": {"a@example.com"},
		"amount": {"1234.50"}, "birth": {"1990-01-01"}, "kind": {"02"}, "sex": {"F"}, "sms": {"1"}, "remark": {"第一行，第二行"},
		"secret": {""}, "other": {""},
	}
	if posts := s.sent(); len(posts) != 1 {
		t.Fatalf("the site got %d posts, want 1: %v\n%s", len(posts), posts, b.log)
	} else if diff := cmp.Diff(want, posts[0].form); diff != "" {
		t.Error(diff)
	}
	if form := b.events[0].Form; form == nil || form.Fields != 11 || form.Healed != 0 {
		t.Errorf("event: %+v", b.events[0])
	}
	keep(t, b)
}

// keep writes the pictures of a run to a folder for people to look at.
func keep(t *testing.T, b *bench) {
	t.Helper()
	folder := os.Getenv("BROWSER_PICTURES")
	if folder == "" {
		return
	}
	for i, e := range b.evidence {
		name := folder + "/" + t.Name() + "-" + string(rune('0'+i)) + "-" + e.Kind + ".jpg"
		if err := os.WriteFile(name, e.Bytes, 0o600); err != nil {
			t.Error(err)
		}
	}
}

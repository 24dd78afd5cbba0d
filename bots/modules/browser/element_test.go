//go:build linux

package browser

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// elementPage has the variants that the sample bank does not: several choices,
// other date formats, choices fetched by typing, a form in a dialog.
const elementPage = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>变体</title><link rel="stylesheet" href="/index.css"><body><div id="app"></div>
<script src="/vue.global.prod.js"></script><script src="/index.full.min.js"></script><script src="/zh-cn.min.js"></script><script>
const { createApp, reactive } = Vue;
createApp({ template: ` + "`" + `<el-dialog :model-value="true" title="签约"><el-form :model="f" label-width="120px">
<el-form-item label="业务种类"><el-select v-model="f.kinds" multiple><el-option v-for="k in ['存款','贷款','理财']" :key="k" :label="k" :value="k"/></el-select></el-form-item>
<el-form-item label="签约产品"><el-checkbox-group v-model="f.products"><el-checkbox value="mobile">手机银行</el-checkbox><el-checkbox value="sms">短信通知</el-checkbox><el-checkbox value="bill">电子账单</el-checkbox></el-checkbox-group></el-form-item>
<el-form-item label="渠道"><el-radio-group v-model="f.channel"><el-radio-button value="1">柜面</el-radio-button><el-radio-button value="2">自助</el-radio-button></el-radio-group></el-form-item>
<el-form-item label="起息日"><el-date-picker v-model="f.from" format="YYYY/MM/DD" value-format="YYYY-MM-DD"/></el-form-item>
<el-form-item label="到期日"><el-date-picker v-model="f.to" format="YYYY年MM月DD日" value-format="YYYY-MM-DD"/></el-form-item>
<el-form-item label="国籍"><el-select v-model="f.country" filterable remote :remote-method="find"><el-option v-for="c in f.found" :key="c" :label="c" :value="c"/></el-select></el-form-item>
<el-form-item label="等级"><el-select v-model="f.level"><el-option v-for="n in 40" :key="n" :label="'第' + n + '级'" :value="n" :disabled="n === 3"/></el-select></el-form-item>
<el-form-item label="金额"><el-input-number v-model="f.amount" :precision="2" :controls="false"/></el-form-item>
<el-form-item label="同意"><el-checkbox v-model="f.agree"/></el-form-item>
<el-form-item label="密码"><el-input v-model="f.pin" type="password" show-password/></el-form-item>
<el-button type="primary" @click="send">确 定</el-button></el-form><p id="model">{{f.kinds.join()}}|{{f.products.join()}}</p></el-dialog>` + "`" + `,
setup() {
  const f = reactive({ kinds: [], products: ['bill'], channel: '1', from: '', to: '', country: '', found: [], level: '', amount: null, agree: false, pin: '' });
  const find = (q) => setTimeout(() => { f.found = ['中国', '法国', '英国'].filter((c) => q && c.includes(q)); }, 200);
  const send = () => { const { found, ...body } = f; fetch('/api/sign', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }); };
  return { f, find, send };
} }).use(ElementPlus, { locale: window.ElementPlusLocaleZhCn }).mount('#app');
</script></body></html>`

const elementManifest = plainManifest + `
submits:
  sign:
    request: POST /api/sign
    fields: {渠道: {path: $.channel, codes: {自助: "2"}}, 起息日: $.from, 到期日: $.to, 国籍: $.country, 等级: {path: $.level, codes: {第38级: "38"}}, 金额: $.amount, 同意: $.agree}
    ignore: [$.kinds, $.products, $.pin]
    success: {text: 开户成功, receipt: {serial: "css:#serial"}}
    settle: 1s
    on_unknown: person
`

func elementSite(t *testing.T) *site {
	t.Helper()
	pages := map[string]string{"/new": elementPage}
	for _, name := range []string{"index.css", "vue.global.prod.js", "index.full.min.js", "zh-cn.min.js"} {
		data, err := os.ReadFile("../../../internal/bank/assets/" + name)
		if err != nil {
			t.Fatalf("%v: run internal/ui/assets.sh", err)
		}
		pages["/"+name] = string(data)
	}
	return newSite(t, pages)
}

func TestElementPlusVariants(t *testing.T) {
	t.Parallel()
	s := elementSite(t)
	b := s.bind(t, elementManifest)
	b.start.Trust = "unsigned" // lists have no place in the manifest yet
	got := b.must(`
def run():
    page = browser.open("core:/new")
    form = page.form("签约")
    report = form.fill({"渠道": "自助", "起息日": "2026-11-23", "到期日": "2027-11-23", "国籍": "法国", "等级": "第38级", "金额": 1234.5, "同意": True})
    other = page.form("签约").fill({"等级": "第38级"})
    return [[label, f["widget"], f["refilled"]] for label, f in report["fields"].items()] + [form.submit(key = ["k"])["serial"]]
`)
	t.Log(got)
	keep(t, b)
	var body map[string]any
	if err := json.Unmarshal([]byte(s.sent()[0].body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"kinds": []any{}, "products": []any{"bill"}, "channel": "2", "from": "2026-11-23", "to": "2027-11-23", "country": "法国", "level": 38.0, "amount": 1234.5, "agree": true, "pin": ""}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

func TestElementPlusLists(t *testing.T) {
	t.Parallel()
	s := elementSite(t)
	b := s.bind(t, elementManifest)
	b.module.patience = 2e9
	got := b.must(`
def run():
    page = browser.open("core:/new")
    page.fill({"业务种类": ["存款", "理财"], "签约产品": ["手机银行", "短信通知"]})
    page.fill({"业务种类": ["理财"], "签约产品": ["手机银行", "短信通知"]})
    return page.text("#model")
`)
	if want := `"理财|mobile,sms"`; got.String() != want {
		t.Errorf("the model is %s, want %s", got, want)
	}
	open := "def run(): browser.open(\"core:/new\")"
	b.fails(open+`.fill({"等级": "第3级"})`, "choice_not_offered") // is there, but disabled
	b.fails(open+`.fill({"国籍": "德国"})`, "choice_not_offered")
	b.fails(open+`.fill({"签约产品": ["基金"]})`, "choice_not_offered")
	b.fails(open+`.fill({"起息日": "明天"})`, "fill_value")
	b.fails(open+`.fill({"同意": "是"})`, "fill_value")
}

package bank_test

import (
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/google/go-cmp/cmp"

	"branchbot/internal/bank"
	"branchbot/internal/ui/uitest"
)

// field finds the control of a label in the Element Plus form.
func field(t *testing.T, page *rod.Page, label string) *rod.Element {
	t.Helper()
	element, err := page.ElementX(`//div[contains(@class,"el-form-item")][./label[normalize-space()="` + label + `"]]//*[self::input or self::textarea]`)
	if err != nil {
		t.Fatalf("field %s: %v", label, err)
	}
	return element
}

func fill(t *testing.T, page *rod.Page, label, text string) {
	t.Helper()
	if err := field(t, page, label).Input(text); err != nil {
		t.Fatalf("fill %s: %v", label, err)
	}
}

func choose(t *testing.T, page *rod.Page, label, option string) {
	t.Helper()
	if err := field(t, page, label).Focus(); err != nil {
		t.Fatal(err)
	}
	if err := page.Keyboard.Type(input.Enter); err != nil {
		t.Fatal(err)
	}
	element, err := page.ElementX(`//li[contains(@class,"el-select-dropdown__item")][normalize-space()="` + option + `"]`)
	if err == nil {
		err = element.WaitVisible()
	}
	if err == nil {
		_, err = element.Eval(`() => this.click()`)
	}
	if err != nil {
		t.Fatalf("choose %s in %s: %v", option, label, err)
	}
}

func TestElementPlusForm(t *testing.T) {
	t.Parallel()
	if missing := bank.Missing(); len(missing) > 0 {
		t.Fatalf("front-end files %v are missing: run make assets", missing)
	}
	site := bank.New(bank.Options{Latency: -1})
	running, err := site.Start(t.Context(), bank.Listen{})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	page := uitest.Open(t, uitest.Browser(t), running.URL+"/")
	uitest.Picture(t, page, "bank-login")
	uitest.Type(t, page, "#username", bank.DefaultUser)
	uitest.Type(t, page, "#password", bank.DefaultPassword)
	uitest.Press(t, page, "button", "登录")
	uitest.See(t, page, "h2", "个人开户")

	fill(t, page, "姓名", "张三")
	choose(t, page, "证件类型", "护照")
	fill(t, page, "证件号码", "e12345678")
	fill(t, page, "出生日期", "1990-01-01")
	if err := page.Keyboard.Type(input.Enter); err != nil {
		t.Fatal(err)
	}
	uitest.Press(t, page, ".el-radio", "女")
	fill(t, page, "民族", "汉")
	fill(t, page, "住址", "上海市浦东新区示例路 1 号")
	fill(t, page, "手机号", "13800138000")
	choose(t, page, "职业", "学生")
	choose(t, page, "产品", "往来")
	choose(t, page, "开户机构", "徐汇支行")
	uitest.Press(t, page, ".el-checkbox", "短信通知")
	fill(t, page, "备注", "无")
	uitest.Picture(t, page, "bank-filled")
	uitest.Press(t, page, "button", "提交")
	uitest.See(t, page, ".el-message-box", "确认提交开户申请")
	uitest.Press(t, page, ".el-message-box button", "确定")
	uitest.See(t, page, "#account-no", `^62173102`)
	uitest.Picture(t, page, "bank-done")

	body := site.Records()[0].Body
	delete(body, "csrf")
	delete(body, "timestamp")
	want := map[string]any{
		"action": "create", "channel": "branch", "name": "张三", "idType": "02", "idNumber": "E12345678", "birth": "1990-01-01",
		"sex": "F", "ethnicity": "汉", "address": "上海市浦东新区示例路 1 号", "mobile": "13800138000", "occupation": "04",
		"product": "02", "currency": "CNY", "branch": "3102", "sms": true, "ebank": false, "remark": "无",
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestPlainFormInABrowser(t *testing.T) {
	t.Parallel()
	site := bank.New(bank.Options{Latency: -1})
	running, err := site.Start(t.Context(), bank.Listen{})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	page := uitest.Open(t, uitest.Browser(t), running.URL+"/plain/accounts/new")
	uitest.Type(t, page, "#username", bank.DefaultUser)
	uitest.Type(t, page, "#password", bank.DefaultPassword)
	uitest.Press(t, page, "button", "登录")
	uitest.Type(t, page, "#name", "李四")
	uitest.Type(t, page, "#idNumber", "31010119900101123x")
	uitest.Type(t, page, "#mobile", "13800138000")
	if _, err := page.Eval(`() => { birth.value = '1990-01-01'; idType.value = '01'; product.value = '01'; branch.value = '3205'; document.querySelector('[name=sex]').checked = true }`); err != nil {
		t.Fatal(err)
	}
	uitest.Picture(t, page, "bank-plain")
	uitest.Press(t, page, "button", "提交")
	uitest.See(t, page, "#account-no", `^62173205`)
	if got := site.Records()[0].Key; got != (bank.Key{Number: "31010119900101123X", Product: "01"}) {
		t.Errorf("key %+v", got)
	}
	if err := page.Navigate(running.URL + "/received"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "#stored", "1")
	uitest.Picture(t, page, "bank-received")
	if err := page.Navigate(running.URL + "/accounts?number=31010119900101123X"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "#accounts td", "李四")
	uitest.Picture(t, page, "bank-lookup")
}

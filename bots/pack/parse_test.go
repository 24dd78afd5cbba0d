package pack

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func complete(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/complete.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompleteManifest(t *testing.T) {
	t.Parallel()
	m, problems := ParseManifest(complete(t))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := &Manifest{
		Name: "account-opening", Version: "1.4.0", Owner: "retail-operations", MinutesSaved: 15,
		Title: Text{"zh-CN": "个人开户", "en": "Open a personal account"},
		Inputs: Inputs{
			{Name: "card", Type: TypeFile, Accept: []string{"image", "pdf"}, Title: Text{"zh-CN": "证件影像", "en": "Identity card"}},
			{Name: "name", Type: TypeText, Max: 60},
			{Name: "phone", Type: TypeText, Pattern: `1\d{10}`},
			{Name: "product", Type: TypeChoice, Of: []Choice{{Value: "savings"}, {Value: "current"}}},
		},
		Capabilities: Capabilities{Sites: []string{"core"}, Documents: []string{"cn_id_card"}, Secrets: []string{"core"}},
		Logins:       map[string]Login{"core": {Site: "core", Run: "login_core", Secret: "core", Request: Matcher{Method: "POST", Path: "/login"}}},
		Submits: map[string]*Submit{"open": {
			Name:    "open",
			Request: Matcher{Method: "POST", Path: "/api/accounts", Where: map[string][]any{"$.action": {"create"}}},
			Fields: map[string]Field{
				"姓名": {Path: "$.name"}, "证件号码": {Path: "$.idNumber"}, "手机号": {Path: "$.mobile"},
				"出生日期": {Path: "$.birth", Format: "YYYYMMDD"},
				"产品":   {Path: "$.product", Codes: map[string]string{"savings": "01", "current": "02"}},
			},
			Constant:     map[string]any{"$.action": "create", "$.channel": "branch"},
			Ignore:       []string{"$.csrf", "$.timestamp"},
			Before:       []Matcher{{Method: "POST", Path: "/api/uploads"}},
			Success:      Reply{Where: map[string][]any{"$.code": {0}}, Receipt: map[string]string{"account_no": "$.data.accountNo"}},
			Reject:       &Reply{Where: map[string][]any{"$.code": {1203, 1204}}, Message: "$.msg"},
			NotProcessed: &Reply{Status: 302, Location: "/login"},
			Settle:       30 * time.Second, KeyWindow: 365 * 24 * time.Hour, OnUnknown: "person",
		}},
		Harmless: []Matcher{
			{Method: "POST", Path: "/api/search"},
			{Method: "POST", Path: "/graphql", Where: map[string][]any{"$.operationName": {"Customer", "Products"}}},
		},
		WebSockets: []WebSocket{{URL: "/events", Send: "none"}},
		OnPopup:    []Popup{{Text: "系统维护", Press: "我知道了"}},
		Limits:     Limits{Time: 10 * time.Minute, Memory: 256 << 20, Log: 1 << 20},
		Retry:      Retry{Attempts: 3, Backoff: 2 * time.Second},
	}
	want.Review.SecondPerson.AmountOver = "100000.00"
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
}

type wrongManifest struct{ name, yaml, want string }

// wrongManifests are small but for one mistake, at the place named.
func wrongManifests() []wrongManifest {
	submit := small + "capabilities: {sites: [core]}\nsubmits:\n  open:\n    request: POST /a\n    fields: {n: $.n}\n    success: {where: {$.code: 0}}\n"
	return []wrongManifest{
		{"empty", "", `1:1: the manifest is empty`},
		{"no mapping", "- a\n", `1:1: the manifest wants a mapping`},
		{"broken", "name: [a\n", `did not find`},
		{"two documents", small + "---\na: 1\n", `more than one document`},
		{"unknown key", small + "colour: x\n", `4:1: unknown key "colour"`},
		{"key twice", small + "name: b\n", `4:1: "name" stands here twice`},
		{"merge", small + "<<: {owner: x}\n", `4:1: unknown key "<<"`},
		{"anchor", "name: &a small\nversion: 1.0.0\ntitle: *a\n", `anchors and aliases`},
		{"tag", small + "owner: !!binary aGk=\n", `tags are not allowed`},
		{"bad name", "name: Small Bot\nversion: 1.0.0\ntitle: x\n", `1:1: name: "Small Bot"`},
		{"bad version", "name: small\nversion: \"1.0\"\ntitle: x\n", `2:1: version: "1.0"`},
		{"no title", "name: small\nversion: 1.0.0\n", `title`},
		{"language", "name: small\nversion: 1.0.0\ntitle: {zh-cn: x, en: y}\n", `3:9: unknown key "zh-cn"`},
		{"type", small + "inputs: {a: {type: txt}}\n", `4:14: inputs.a.type: "txt"`},
		{"input name", small + "inputs: {A b: {type: text}}\n", `inputs.A b`},
		{"choice without values", small + "inputs: {a: {type: choice}}\n", `4:10: a choice needs its values`},
		{"pattern", small + "inputs: {a: {type: text, pattern: '['}}\n", `4:26: "[" is no regular expression`},
		{"pattern of a date", small + "inputs: {a: {type: date, pattern: '1'}}\n", `pattern is for inputs of type text`},
		{"default", small + "inputs: {a: {type: date, default: soon}}\n", `"soon" is no value`},
		{"negative", small + "inputs: {a: {type: text, max: -1}}\n", `max must be`},
		{"duration", small + "limits: {time: 10 minutes}\n", `4:10: limits.time: "10 minutes" is no duration`},
		{"size", small + "limits: {memory: 256MB}\n", `"256MB" is not a size`},
		{"huge size", small + "limits: {memory: 99999999999GiB}\n", `is not a size`},
		{"too little memory", small + "limits: {memory: 1KiB}\n", `out of bounds`},
		{"attempts", small + "retry: {attempts: 99}\n", `out of bounds`},
		{"deadline of a step", small + "steps: {go: {deadline: 1ms}}\n", `steps.go.deadline is out of bounds`},
		{"key of a step", small + "steps: {go: {atempts: 2}}\n", `unknown key "atempts"`},
		{"backoff of a step", small + "steps: {go on: {backoff: 1h}}\n", `steps.go on.backoff is out of bounds`},
		{"list wanted", small + "harmless: POST /a\n", `harmless wants a list`},
		{"request", small + "harmless: [POST a]\n", `4:12: "POST a" names no request`},
		{"method", small + "harmless: [SEND /a]\n", `"SEND /a" names no request`},
		{"star", small + "harmless: [POST /a/*/b]\n", `names no request`},
		{"condition", small + "harmless: [{request: POST /a, where: {name: x}}]\n", `"name" names no place`},
		{"site", small + "capabilities: {sites: [a, b]}\nharmless: [POST /a]\n", `say which one`},
		{"other site", small + "capabilities: {sites: [a]}\nharmless: [{site: b, request: POST /a}]\n", `site "b" is not among`},
		{"login", small + "logins: {core: {site: core, run: f, secret: s, request: POST /l}}\n", `logins.core.site: "core"`},
		{"login request", small + "capabilities: {sites: [core], secrets: [s]}\nlogins: {core: {site: core, run: f, secret: s}}\n", `the one request`},
		{"submit without success", strings.Replace(submit, "where: {$.code: 0}", "status: 200", 1), `a submit says how success looks`},
		{"submit without fields", strings.Replace(submit, "fields: {n: $.n}", "settle: 1s", 1), `a submit maps its fields`},
		{"field place", strings.Replace(submit, "$.n}", "n}", 1), `8:14: "n" names no place`},
		{"two rules", submit + "    ignore: [$.n]\n", `two rules`},
		{"two rules by another name", submit + "    constant: {form:n: 1}\n", `two rules`},
		{"format", strings.Replace(submit, "$.n}", "{path: $.n, format: tomorrow}}", 1), `no date layout`},
		{"on_unknown", submit + "    on_unknown: retry\n", `on_unknown: "retry"`},
		{"two alike", submit + "  again:\n    request: POST /a\n    fields: {n: $.n}\n    success: {where: {$.code: 0}}\n", `match the same request`},
		{"receipt", strings.Replace(submit, "{$.code: 0}}", "{$.code: 0}, receipt: {no: accountNo}}", 1), `"accountNo" names no value`},
		{"null", "name: ~\nversion: 1.0.0\ntitle: x\n", `name wants one plain value`},
		{"websocket", small + "websockets: [{url: /e, send: all}]\n", `send: "all"`},
	}
}

func TestWrongManifests(t *testing.T) {
	t.Parallel()
	for _, tc := range wrongManifests() {
		_, problems := ParseManifest([]byte(tc.yaml))
		err := invalid(problems)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestUnknownKeyIsSuggested(t *testing.T) {
	t.Parallel()
	_, problems := ParseManifest([]byte(small + "capabilties: {}\n"))
	if len(problems) != 1 || problems[0].Hint != `did you mean "capabilities"?` {
		t.Errorf("got %+v", problems)
	}
}

package pack

import (
	"os"
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
			Fields: map[string]Field{"姓名": {Path: "$.name"}, "证件号码": {Path: "$.idNumber"}, "手机号": {Path: "$.mobile"},
				"出生日期": {Path: "$.birth", Format: "YYYYMMDD"},
				"产品":   {Path: "$.product", Codes: map[string]string{"savings": "01", "current": "02"}}},
			Constant:     map[string]any{"$.action": "create", "$.channel": "branch"},
			Ignore:       []string{"$.csrf", "$.timestamp"},
			Before:       []Matcher{{Method: "POST", Path: "/api/uploads"}},
			Success:      Reply{Where: map[string][]any{"$.code": {0}}, Receipt: map[string]string{"account_no": "$.data.accountNo"}},
			Reject:       &Reply{Where: map[string][]any{"$.code": {1203, 1204}}, Message: "$.msg"},
			NotProcessed: &Reply{Status: 302, Location: "/login"},
			Settle:       30 * time.Second, KeyWindow: 365 * 24 * time.Hour, OnUnknown: "person",
		}},
		Harmless: []Matcher{{Method: "POST", Path: "/api/search"},
			{Method: "POST", Path: "/graphql", Where: map[string][]any{"$.operationName": {"Customer", "Products"}}}},
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

package headoffice_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"

	"branchbot/headoffice/access"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/hotest"
	"branchbot/internal/ui/uitest"
	"branchbot/internal/wire"
)

// account is a run as account-opening reports it; hostile text stands in it too.
func account(id string, state wire.RunState, started time.Time) wire.Run {
	finished := started.Add(3840 * time.Millisecond)
	return wire.Run{
		Run: id, Bot: "account-opening", Version: "1.4.0", Digest: wire.Digest([]byte("pack")), Trust: "embedded", Trigger: "manual", State: state,
		Output: json.RawMessage(`{"account":"6217310200001234"}`),
		Steps: []wire.StepView{
			{Name: "读取证件", Kind: "ocr", State: "done", MS: 1420, Attempts: 1},
			{Name: "核对证件", Kind: "review", State: "done", MS: 2, Attempts: 1},
			{Name: "open account <script>alert(1)</script>", Kind: "step", State: "done", MS: 1960, Attempts: 2},
		},
		Submits: []wire.SubmitView{{Name: "open", Key: `["110101199003078515","savings"]`, State: "acknowledged", Guard: "payload", Fields: 14, Attempts: 1, GuardMS: 1.9}},
		Forms:   []wire.FormView{{Form: "个人开户", Fields: 14, MS: 612}},
		Evidence: []wire.EvidenceRef{
			{Digest: wire.Digest([]byte("before")), Kind: "before_submit", MediaType: "image/png", Bytes: 48213, Step: "open account"},
			{Digest: wire.Digest([]byte("after")), Kind: "after_submit", MediaType: "image/png", Bytes: 51877, Step: "open account"},
		},
		Origins: map[string]string{"core": "https://core.bank.example"}, By: wire.By{Person: "王芳", Kind: wire.ByUnverified},
		BusinessDate: started.Format(time.DateOnly), Started: started, Finished: &finished,
	}
}

// refused is a run that the guard stopped.
func refused(id string, started time.Time) wire.Run {
	run := account(id, wire.Failed, started)
	run.Output = nil
	run.Exception = &wire.Exception{Kind: "application", Code: "submit_refused", Message: "the request differs from the intent: 产品", Hint: "look at the form"}
	run.Steps[2].State = "failed"
	run.Submits[0].State = "refused"
	run.Submits[0].Mismatches = []wire.Mismatch{{Field: "产品", Path: "$.product", Code: "differs", Meant: "01", Actual: "02"}}
	return run
}

// branch is a head office with two devices and their runs.
func branch(t *testing.T) (*hotest.Office, *hotest.Device) {
	t.Helper()
	office, device := start(t)
	now := time.Now().Add(-time.Hour).Truncate(time.Second)
	records := []json.RawMessage{
		device.RunRecord(1, account("run_one", wire.Succeeded, now)),
		device.RunRecord(2, refused("run_two", now.Add(10*time.Minute))),
		device.RunRecord(3, account("run_three", wire.InDoubt, now.Add(20*time.Minute))),
		json.RawMessage(`"unreadable"`),
	}
	if reply, err := device.Send(records...); err != nil || reply.NextSeq != 5 {
		t.Fatal(reply, err)
	}
	if err := device.Call("PUT", "/v1/evidence/"+wire.Digest([]byte("before")), []byte("before"), nil); err != nil {
		t.Fatal(err)
	}
	return office, device
}

func TestPagesSayWhatMatters(t *testing.T) {
	t.Parallel()
	office, device := branch(t)
	one, two := "/runs/"+device.ID+"/run_one", "/runs/"+device.ID+"/run_two"
	for _, c := range []struct {
		name, path, language string
		role                 access.Role
		status               int
		has, hasNot          []string
	}{
		{"runs", "/runs", "en", access.Viewer, 200, []string{"<h1>Runs</h1>", "account-opening", "Done", "In doubt", "submit_refused", "unreadable records", `lang="en"`}, []string{"<script>alert"}},
		{"runs in Chinese", "/runs", "zh-CN,en;q=0.5", access.Viewer, 200, []string{"<h1>运行</h1>", "待核实"}, nil},
		{"one state", "/runs?state=failed", "en", access.Viewer, 200, []string{"run_two"}, []string{"run_one", "run_three"}},
		{"no such run in the filter", "/runs?bot=none", "en", access.Auditor, 200, []string{"No run fits this filter."}, nil},
		{"hostile filter", `/runs?bot=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`, "en", access.Viewer, 200, []string{"No run fits"}, []string{"<script>alert"}},
		{
			"a run", one, "en", access.Viewer, 200,
			[]string{"读取证件", "***1234", "***8515", "in the outgoing request", "14 fields", "Before submitting", "At head office, encrypted", "Still on the device", "王芳", "&lt;script&gt;"},
			[]string{"<script>alert", "What to do", "6217310200001234", "110101199003078515"},
		},
		{"a run, for who may see customers", one, "en", access.Auditor, 200, []string{"6217310200001234", "110101199003078515"}, []string{"***"}},
		{"a refused run says what to do", two, "en", access.Viewer, 200, []string{"What to do", "Nothing reached the business system", "Would have been sent", "submit_refused"}, nil},
		{"the same in Chinese", two, "zh", access.Viewer, 200, []string{"将要发出", "submit_refused"}, []string{"Would have been"}},
		{"unknown run", "/runs/" + device.ID + "/run_none", "en", access.Viewer, 404, []string{"run_unknown"}, nil},
		{"devices", "/devices", "en", access.Operator, 200, []string{device.ID, "Enrolled", "pc-"}, nil},
		{"a device, for an administrator", "/devices/" + device.ID, "en", access.Admin, 200, []string{"Revoke this device", `name="csrf"`}, nil},
		{"a device, for a viewer", "/devices/" + device.ID, "en", access.Viewer, 200, []string{device.ID}, []string{"Revoke"}},
		{"unknown device", "/devices/dev_none", "en", access.Viewer, 404, []string{"device_unknown"}, nil},
		{"a page that is not", "/none", "en", access.Viewer, 404, []string{"There is no such page"}, nil},
	} {
		browser := office.Browser(t, c.role)
		browser.Header.Set("Accept-Language", c.language)
		reply, body := browser.Do(t, "GET", c.path, "")
		if reply.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.name, reply.Status, c.status)
		}
		for _, want := range c.has {
			if !strings.Contains(body, want) {
				t.Errorf("%s: page does not say %q:\n%s", c.name, want, body)
			}
		}
		for _, not := range c.hasNot {
			if strings.Contains(body, not) {
				t.Errorf("%s: page says %q", c.name, not)
			}
		}
	}
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	browser := office.Browser(t, access.Viewer)
	for path, want := range map[string]string{"/runs": "还没有收到运行结果", "/devices": "headoffice device token"} {
		if reply, body := browser.Do(t, "GET", path, ""); reply.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %s, want %q in:\n%s", path, reply.Status, want, body)
		}
	}
}

func TestEnterOnce(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	browser := office.Browser(t, access.Viewer)
	session := browser.Header.Get("Cookie")
	browser.Header.Del("Cookie")
	browser.Header.Set("Accept-Language", "en")
	for _, path := range []string{"/enter", "/enter?token=", "/enter?token=none"} {
		if reply, body := browser.Do(t, "GET", path, ""); reply.StatusCode != http.StatusForbidden || !strings.Contains(body, "This link was used or has expired") {
			t.Errorf("%s: %s", path, reply.Status)
		}
	}
	if reply, body := browser.Do(t, "GET", "/runs", ""); reply.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "You are not signed in") {
		t.Errorf("without a session: %s", reply.Status)
	}
	if !strings.HasPrefix(session, "__Host-") {
		t.Errorf("cookie %q", session)
	}
}

// The console in a real browser: it signs in by the link, follows what devices
// report by itself, and an administrator revokes a device.
func TestConsoleInABrowser(t *testing.T) {
	t.Parallel()
	office, device := branch(t)
	chromium := uitest.Browser(t)
	if err := chromium.IgnoreCertErrors(true); err != nil { // a bank puts our CA into its browsers
		t.Fatal(err)
	}
	page := uitest.Open(t, chromium, office.Link(t, access.Admin)+"&lang=zh-CN")
	uitest.See(t, page, "h1", "运行")
	uitest.Picture(t, page, "console-runs")
	live := account("run_live", wire.Running, time.Now())
	live.Bot, live.Finished = "id-check", nil
	if _, err := device.Send(device.RunRecord(5, live)); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "td", "id-check")
	uitest.Press(t, page, ".languages a", "English")
	uitest.See(t, page, "h1", "Runs")
	uitest.Picture(t, page, "console-runs-en")
	if err := page.Navigate(office.Base + "/runs/" + device.ID + "/run_two"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "h2", "Submissions")
	uitest.Picture(t, page, "console-run-refused")
	if err := page.Navigate(office.Base + "/runs/" + device.ID + "/run_one?lang=zh-CN"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "h2", "提交")
	uitest.Picture(t, page, "console-run")
	revokeInBrowser(t, office, device, page)
}

func revokeInBrowser(t *testing.T, office *hotest.Office, device *hotest.Device, page *rod.Page) {
	t.Helper()
	waiting := office.Token(t, enrol.TokenOptions{ByHand: true})
	key, csr := hotest.NewKey(t)
	_, err := hotest.EnrolWith(t, office.Base, waiting, key, csr)
	wantCode(t, err, "approval_waiting")
	uitest.Press(t, page, "nav a", "设备")
	uitest.See(t, page, ".status", "待批准")
	uitest.Picture(t, page, "console-devices")
	if err := page.Navigate(office.Base + "/devices/" + device.ID); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, "button", "撤销此设备")
	uitest.Picture(t, page, "console-device")
	uitest.Press(t, page, "button", "撤销此设备")
	uitest.See(t, page, "h1", "^设备$")
	_, err = office.Parts.Store.Device(t.Context(), device.ID)
	wantCode(t, err, "device_unknown")
	_, err = device.Send()
	wantCode(t, err, "device_unknown")
	uitest.Press(t, page, "button", "退出")
	uitest.See(t, page, "h1", "已退出")
}

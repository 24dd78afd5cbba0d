package panel

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const testToken = "a-durable-token"

// fakeAgent is a backend in memory. It stands in for the agent's stores and
// runners, which have tests of their own.
type fakeAgent struct {
	mu       sync.Mutex
	runs     map[string]wire.Run
	order    []string
	watchers map[string][]chan wire.Run
	kept     map[string]File
	started  []Start
	answers  []Answer
	stopped  []wire.By
	status   Status
	refuse   error // what the next call gives
	manifest *pack.Manifest
}

func testManifest() *pack.Manifest {
	return &pack.Manifest{
		Name: "account-opening", Version: "1.0.0", MinutesSaved: 15,
		Title:   pack.Text{"zh-CN": "个人开户", "en": "Open a personal account"},
		Summary: pack.Text{"zh-CN": "识别证件，填写核心系统，核对后提交。", "en": "Reads the card, fills the core system, checks and submits."},
		Inputs: pack.Inputs{
			{Name: "card", Type: pack.TypeFile, Accept: []string{"image", "pdf"}, Title: pack.Text{"zh-CN": "证件影像", "en": "Identity card"}},
			{Name: "name", Type: pack.TypeText, Max: 60, Title: pack.Text{"zh-CN": "姓名", "en": "Name"}},
			{Name: "phone", Type: pack.TypeText, Pattern: `1\d{10}`, Title: pack.Text{"zh-CN": "手机号", "en": "Mobile"}, Help: pack.Text{"zh-CN": "11 位手机号码", "en": "11 digits"}},
			{Name: "product", Type: pack.TypeChoice, Title: pack.Text{"zh-CN": "产品", "en": "Product"}, Of: []pack.Choice{
				{Value: "savings", Title: pack.Text{"zh-CN": "储蓄", "en": "Savings"}}, {Value: "current", Title: pack.Text{"zh-CN": "往来", "en": "Current"}},
			}},
			{Name: "opened", Type: pack.TypeDate, Optional: true, Title: pack.Text{"zh-CN": "开户日期", "en": "Date"}},
			{Name: "amount", Type: pack.TypeAmount, Optional: true, Title: pack.Text{"zh-CN": "首存金额", "en": "First deposit"}},
			{Name: "copies", Type: pack.TypeInteger, Optional: true, Title: pack.Text{"zh-CN": "份数", "en": "Copies"}},
			{Name: "sms", Type: pack.TypeBool, Title: pack.Text{"zh-CN": "开通短信通知", "en": "Text messages"}},
		},
	}
}

func newFake() *fakeAgent {
	return &fakeAgent{
		runs: map[string]wire.Run{}, watchers: map[string][]chan wire.Run{}, kept: map[string]File{},
		status: Status{HeadOffice: Online}, manifest: testManifest(),
	}
}

func (f *fakeAgent) refused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.refuse
	f.refuse = nil
	return err
}

func (f *fakeAgent) Bots(context.Context) ([]Bot, error) {
	other := &pack.Manifest{Name: "id-check", Title: pack.Text{"zh-CN": "证件核对", "en": "Check a document"}, Summary: pack.Text{"zh-CN": "核对证件与申报资料是否一致，不提交任何内容。", "en": "Compares a document with what was declared."}, MinutesSaved: 4}
	return []Bot{{f.manifest, "embedded"}, {other, "unsigned"}}, nil
}

func (f *fakeAgent) Keep(_ context.Context, file File) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	digest := wire.Digest(file.Bytes)
	f.kept[digest] = file
	return digest, nil
}

func (f *fakeAgent) Start(_ context.Context, start Start) (string, error) {
	if err := f.refused(); err != nil {
		return "", err
	}
	run := wire.Run{
		Run: wire.NewID(wire.RunPrefix), Bot: start.Bot, Version: "1.0.0", Trust: "embedded", Trigger: "manual", State: wire.Queued,
		By: start.By, Started: time.Now().UTC(), MinutesSaved: 15,
	}
	f.mu.Lock()
	f.started = append(f.started, start)
	f.mu.Unlock()
	f.put(run)
	return run.Run, nil
}

// put writes a run down and tells who watches it.
func (f *fakeAgent) put(run wire.Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.runs[run.Run]; !ok {
		f.order = append(f.order, run.Run)
	}
	f.runs[run.Run] = run
	for _, watcher := range f.watchers[run.Run] {
		watcher <- run
		if run.State.Final() {
			close(watcher)
		}
	}
	if run.State.Final() {
		delete(f.watchers, run.Run)
	}
}

func (f *fakeAgent) Runs(_ context.Context, limit int) ([]wire.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	runs := []wire.Run{}
	for _, id := range slices.Backward(f.order) {
		if len(runs) < limit {
			runs = append(runs, f.runs[id])
		}
	}
	return runs, nil
}

func (f *fakeAgent) Run(_ context.Context, id string) (wire.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, ok := f.runs[id]
	if !ok {
		return run, fault.New(fault.Usage, "run_unknown", "there is no run %s", id)
	}
	return run, nil
}

func (f *fakeAgent) Watch(ctx context.Context, id string) (<-chan wire.Run, error) {
	run, err := f.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	updates := make(chan wire.Run, 64)
	updates <- run
	if run.State.Final() {
		close(updates)
		return updates, nil
	}
	f.watchers[id] = append(f.watchers[id], updates)
	return updates, nil
}

func (f *fakeAgent) Cancel(_ context.Context, id string, by wire.By) error {
	if err := f.refused(); err != nil {
		return err
	}
	run, err := f.Run(context.Background(), id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.stopped = append(f.stopped, by)
	f.mu.Unlock()
	run.State = wire.Cancelled
	f.put(run)
	return nil
}

func (f *fakeAgent) Answer(_ context.Context, id string, answer Answer) error {
	if err := f.refused(); err != nil {
		return err
	}
	f.mu.Lock()
	f.answers = append(f.answers, answer)
	f.mu.Unlock()
	run, err := f.Run(context.Background(), id)
	if err != nil {
		return err
	}
	run.State = wire.Succeeded
	f.put(run)
	return nil
}

func (f *fakeAgent) Evidence(_ context.Context, _, digest string) (Picture, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.kept[digest]
	if !ok {
		return Picture{}, fault.New(fault.Usage, "evidence_unknown", "there is no such evidence")
	}
	return Picture{file.MediaType, file.Bytes}, nil
}

func (f *fakeAgent) Status(context.Context) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// desk is a panel on loopback and a browser-like client at it.
type desk struct {
	t      *testing.T
	agent  *fakeAgent
	panel  *Panel
	server *httptest.Server
	http   *http.Client
	cookie string // of the session
	csrf   string
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	agent := newFake()
	panel, err := New(Options{Backend: agent, Token: testToken, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	server := httptest.NewServer(panel)
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &desk{t: t, agent: agent, panel: panel, server: server, http: client}
}

// enter opens a session as `branchbot panel` does.
func (d *desk) enter() *desk {
	d.t.Helper()
	reply, err := d.http.Get(d.server.URL + "/enter?token=" + testToken)
	if err != nil {
		d.t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("enter: %d", reply.StatusCode)
	}
	for _, cookie := range reply.Cookies() {
		if cookie.Name == sessionCookie {
			d.cookie = cookie.Name + "=" + cookie.Value
			d.csrf = d.panel.csrf(&visit{session: cookie.Value})
		}
	}
	return d
}

func exampleRun(id string, state wire.RunState) wire.Run {
	started := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	finished := started.Add(11 * time.Second)
	run := wire.Run{
		Run: id, Bot: "account-opening", Version: "1.0.0", Trust: "embedded", Trigger: "manual", State: state,
		By: wire.By{Person: "王芳", Kind: wire.ByUnverified}, Started: started, BusinessDate: "2026-11-23",
		Steps: []wire.StepView{
			{Name: "ocr.read", Kind: "ocr", State: "done", MS: 2140, Attempts: 1},
			{Name: "open account", Kind: "step", State: "running", MS: 0, Attempts: 1},
		},
	}
	if state.Final() {
		run.Finished = &finished
		run.Steps[1].State, run.Steps[1].MS = "done", 4300
	}
	return run
}

func succeeded(id string) wire.Run {
	run := exampleRun(id, wire.Succeeded)
	run.Output = json.RawMessage(`{"account":"6217310100000001","name":"张三","number":"310101199001011234","product":"current"}`)
	run.Submits = []wire.SubmitView{{Name: "open", Key: "k", State: wire.SubmitAcknowledged, Guard: "payload", Fields: 14, Attempts: 1}}
	return run
}

func inDoubt(id string) wire.Run {
	run := exampleRun(id, wire.InDoubt)
	run.Steps[1].State = "in_doubt"
	run.Submits = []wire.SubmitView{{Name: "open", Key: "k", State: wire.SubmitInDoubt, Guard: "payload", Fields: 14, Attempts: 1}}
	run.Exception = &wire.Exception{Kind: "application", Code: "in_doubt", Message: "the connection was cut after the request was sent"}
	return run
}

func declinedRun(id string) wire.Run {
	run := exampleRun(id, wire.Failed)
	run.Steps[1].State = "failed"
	run.Submits = []wire.SubmitView{{Name: "open", Key: "k", State: wire.SubmitRejected, Guard: "payload", Fields: 14, Attempts: 1}}
	run.Exception = &wire.Exception{Kind: "business", Code: "rejected", Message: "该客户已开立同类账户"}
	return run
}

package panel

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"testing"
	"time"

	"github.com/go-rod/rod"

	"branchbot/internal/ui/uitest"
	"branchbot/internal/wire"
)

// specimen draws a card-like picture.
func specimen(t *testing.T) []byte {
	t.Helper()
	card := image.NewRGBA(image.Rect(0, 0, 430, 270))
	draw.Draw(card, card.Bounds(), image.NewUniform(color.RGBA{226, 236, 240, 255}), image.Point{}, draw.Src)
	draw.Draw(card, image.Rect(300, 40, 400, 180), image.NewUniform(color.RGBA{150, 170, 180, 255}), image.Point{}, draw.Src)
	for line := range 5 {
		draw.Draw(card, image.Rect(30, 40+line*40, 240-line*12, 54+line*40), image.NewUniform(color.RGBA{60, 80, 95, 255}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, card); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drop lets a file fall onto the form, as from a folder on the desktop.
func drop(t *testing.T, page *rod.Page, name string, data []byte) {
	t.Helper()
	_, err := page.Eval(`(name, bytes) => {
		const transfer = new DataTransfer();
		transfer.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type: 'image/png'}));
		document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
	}`, name, base64.StdEncoding.EncodeToString(data))
	if err != nil {
		t.Fatalf("drop: %v", err)
	}
}

// waitForStart returns the run that the page started.
func (d *desk) waitForStart(page *rod.Page) wire.Run {
	d.t.Helper()
	uitest.See(d.t, page, "h2", "过程")
	runs, err := d.agent.Runs(d.t.Context(), 1)
	if err != nil || len(runs) != 1 {
		d.t.Fatalf("runs %v, %v", runs, err)
	}
	return runs[0]
}

func TestClickThrough(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	if missing := d.panel.Missing(); len(missing) > 0 {
		t.Fatalf("front-end files %v are missing: run make assets", missing)
	}
	d.agent.put(declinedRun("run_before"))
	browser := uitest.Browser(t)
	page := uitest.Open(t, browser, d.server.URL+"/enter?token="+testToken)
	uitest.See(t, page, "h1", "办理业务")
	uitest.Picture(t, page, "panel-bots")
	uitest.Press(t, page, "a.card", "个人开户")
	uitest.See(t, page, "h1", "个人开户")
	uitest.Press(t, page, "button", "开始办理")
	uitest.See(t, page, ".error", "请放入文件")
	uitest.Picture(t, page, "panel-form-errors")

	drop(t, page, "card.png", specimen(t))
	uitest.See(t, page, ".drop .name", "card.png")
	uitest.Type(t, page, `[name="in.name"]`, "张三")
	uitest.Type(t, page, `[name="in.phone"]`, "13800138000")
	uitest.Press(t, page, ".choice", "储蓄")
	uitest.Type(t, page, "#person", "王芳")
	if left, err := page.Elements(".error:not([hidden])"); err != nil || len(left) > 0 {
		t.Errorf("%d errors are still shown, %v", len(left), err)
	}
	uitest.Picture(t, page, "panel-form")
	uitest.Press(t, page, "button", "开始办理")

	run := d.waitForStart(page)
	uitest.See(t, page, ".status", "排队中")
	run.State = wire.Running
	run.Steps = []wire.StepView{{Name: "核对证件", Kind: "ocr", State: "done", MS: 2140, Attempts: 1}, {Name: "开立账户", Kind: "step", State: "running", Attempts: 1}}
	d.agent.put(run)
	uitest.See(t, page, ".steps li.busy .word", "进行中")
	uitest.Picture(t, page, "panel-run-live")

	screen, err := d.agent.Keep(t.Context(), File{Name: "before", MediaType: "image/png", Bytes: specimen(t)})
	if err != nil {
		t.Fatal(err)
	}
	done := succeeded(run.Run)
	done.By, done.Started = run.By, run.Started
	finished := run.Started.Add(8 * time.Second)
	done.Finished, done.Steps = &finished, run.Steps
	done.Steps[1].State, done.Steps[1].MS = "done", 4210
	done.Evidence = []wire.EvidenceRef{{Digest: screen, Kind: "before_submit", MediaType: "image/png", At: finished}}
	d.agent.put(done)
	uitest.See(t, page, ".result dd", "6217310100000001")
	uitest.See(t, page, "figcaption", "提交前")
	uitest.Picture(t, page, "panel-run-done")
	if stop, err := page.Element(".stop"); err != nil {
		t.Error(err)
	} else if visible, err := stop.Visible(); err != nil || visible {
		t.Errorf("a finished run can be stopped: %v, %v", visible, err)
	}
	if got := d.agent.started[0].Files["card"].Name; got != "card.png" {
		t.Errorf("file %q", got)
	}
	uitest.Press(t, page, "nav a", "运行记录")
	uitest.See(t, page, "td", "王芳")
	d.agent.put(inDoubt("run_later"))
	uitest.See(t, page, "td .status.warn", "待核实") // the list follows by itself
	uitest.Picture(t, page, "panel-runs")
}

func TestDecisionInABrowser(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.agent.put(exampleRun("run_x", wire.Running))
	page := uitest.Open(t, uitest.Browser(t), d.server.URL+"/enter?token="+testToken)
	if err := page.Navigate(d.server.URL + "/runs/run_x"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, ".status", "运行中")
	screen, err := d.agent.Keep(t.Context(), File{Name: "screen", MediaType: "image/png", Bytes: specimen(t)})
	if err != nil {
		t.Fatal(err)
	}
	doubt := inDoubt("run_x")
	for _, kind := range []string{"before_submit", "after_submit"} {
		doubt.Evidence = append(doubt.Evidence, wire.EvidenceRef{Digest: screen, Kind: kind, MediaType: "image/png", At: doubt.Started})
	}
	d.agent.put(doubt)
	uitest.See(t, page, "form figcaption", "提交后")
	uitest.Press(t, page, ".choice", "业务系统中已有这笔业务")
	uitest.Type(t, page, "#reference", "6217000011112222")
	uitest.Type(t, page, "#person", "李强")
	uitest.Picture(t, page, "panel-doubt")
	uitest.Press(t, page, "button", "确认")
	uitest.See(t, page, ".status", "已完成")
	want := Answer{Decision: DecisionSubmitted, Reference: "6217000011112222", By: wire.By{Person: "李强", Kind: wire.ByUnverified}}
	if got := d.agent.answers; len(got) != 1 || got[0] != want {
		t.Errorf("answers %+v, want %+v", got, want)
	}
}

func TestWhatWentWrongInABrowser(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.agent.put(declinedRun("run_x"))
	browser := uitest.Browser(t)
	page := uitest.Open(t, browser, d.server.URL+"/")
	uitest.See(t, page, "h1", "请用专用链接打开本页")
	uitest.Picture(t, page, "panel-no-session")
	page = uitest.Open(t, browser, d.server.URL+"/enter?token="+testToken)
	if err := page.Navigate(d.server.URL + "/runs/run_x?lang=en"); err != nil {
		t.Fatal(err)
	}
	uitest.See(t, page, ".fault h2", "The business system declined it")
	uitest.See(t, page, ".told", "该客户已开立同类账户")
	uitest.Picture(t, page, "panel-declined")
}

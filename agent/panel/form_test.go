package panel

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// upload posts the form of the bot with a file in it.
func (d *desk) upload(values map[string]string, name string, file []byte) answerPage {
	d.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	values["csrf"] = d.csrf
	for field, value := range values {
		if err := form.WriteField(field, value); err != nil {
			d.t.Fatal(err)
		}
	}
	if name != "" {
		part, err := form.CreateFormFile("in.card", name)
		if err != nil {
			d.t.Fatal(err)
		}
		if _, err := part.Write(file); err != nil {
			d.t.Fatal(err)
		}
	}
	form.Close()
	return d.send(http.MethodPost, "/bots/account-opening", form.FormDataContentType(), &b, nil)
}

func filled(change map[string]string) map[string]string {
	values := map[string]string{"in.name": "张三", "in.phone": "13800138000", "in.product": "savings", "in.sms": "true", "person": "Wang Fang"}
	for name, value := range change {
		values[name] = value
	}
	return values
}

func TestStartARun(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	got := d.upload(filled(map[string]string{"in.amount": "12.5", "in.opened": ""}), `C:\scans\card.png`, pngHead)
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/runs/run_") {
		t.Fatalf("status %d, location %q\n%s", got.status, got.location, got.body)
	}
	start := d.agent.started[0]
	values := map[string]string{}
	for name, raw := range start.Values {
		values[name] = string(raw)
	}
	want := map[string]string{"name": `"张三"`, "phone": `"13800138000"`, "product": `"savings"`, "amount": `"12.5"`, "sms": "true"}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	ref := start.Files["card"]
	if kept := d.agent.kept[ref.Digest]; ref.MediaType != "image/png" || !bytes.Equal(kept.Bytes, pngHead) {
		t.Errorf("file %+v", ref)
	}
	if start.By != (wire.By{Person: "Wang Fang", Kind: wire.ByUnverified}) {
		t.Errorf("by %+v", start.By)
	}
	if next := d.get("/bots/account-opening"); !strings.Contains(next.body, `value="Wang Fang"`) {
		t.Error("the next form does not know the person")
	}
}

func TestWhatIsWrongStandsBesideTheField(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change map[string]string
		file   string
		data   []byte
		want   string
	}{
		{"no file", nil, "", nil, `id="in.card-error">Please add a file`},
		{"empty file", nil, "card.png", []byte{}, `id="in.card-error">The file is empty`},
		{"not a picture", nil, "card.png", []byte("hello"), `id="in.card-error">This kind of file`},
		{"missing", map[string]string{"in.name": "  "}, "card.png", pngHead, `id="in.name-error">Please fill this in`},
		{"too long", map[string]string{"in.name": strings.Repeat("长", 61)}, "card.png", pngHead, `id="in.name-error">At most 60`},
		{"pattern", map[string]string{"in.phone": "12"}, "card.png", pngHead, `id="in.phone-error">This does not look right`},
		{"no choice", map[string]string{"in.product": ""}, "card.png", pngHead, `id="in.product-error">Please choose one`},
		{"foreign choice", map[string]string{"in.product": "gold"}, "card.png", pngHead, `id="in.product-error">Please choose from`},
		{"date", map[string]string{"in.opened": "2026-02-30"}, "card.png", pngHead, `id="in.opened-error">Not a date`},
		{"amount", map[string]string{"in.amount": "1,5"}, "card.png", pngHead, `id="in.amount-error">Not an amount`},
		{"integer", map[string]string{"in.copies": "1.5"}, "card.png", pngHead, `id="in.copies-error">Please enter a whole number`},
		{"nobody", map[string]string{"person": " "}, "card.png", pngHead, `id="person-error">Please enter your name`},
		{"a name with control characters", map[string]string{"person": "a\x00b"}, "card.png", pngHead, `id="person-error">`},
	}
	d := openDesk(t).enter()
	for _, c := range cases {
		got := d.upload(filled(c.change), c.file, c.data)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: status %d, page lacks %q", c.name, got.status, c.want)
		}
		if count := strings.Count(got.body, `class="error"`); count != 1 {
			t.Errorf("%s: %d errors shown", c.name, count)
		}
	}
	if len(d.agent.started) != 0 {
		t.Errorf("%d runs were started", len(d.agent.started))
	}
}

var keptField = regexp.MustCompile(`name="kept.card" value="([^"]+)"`)

func TestAFileNeedNotBeDroppedAgain(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	first := d.upload(filled(map[string]string{"in.phone": "12"}), "card.png", pngHead)
	match := keptField.FindStringSubmatch(first.body)
	if match == nil || !strings.Contains(first.body, "card.png") {
		t.Fatalf("the page does not keep the file:\n%s", first.body)
	}
	forged := d.panel.seal.sign("session", `{"Digest":"sha256:0","MediaType":"image/png","Name":"x"}`)
	if got := d.upload(filled(map[string]string{"kept.card": forged}), "", nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a forged file: status %d", got.status)
	}
	if got := d.upload(filled(map[string]string{"kept.card": match[1]}), "", nil); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	if ref := d.agent.started[0].Files["card"]; ref.Name != "card.png" || d.agent.kept[ref.Digest].Name != "card.png" {
		t.Errorf("file %+v", ref)
	}
}

func TestWhatTheAgentRefusesIsSaid(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	d.agent.refuse = fault.New(fault.Usage, "site_unbound", "the bot needs the site core")
	got := d.upload(filled(nil), "card.png", pngHead)
	for _, want := range []string{"This PC does not know the address", "Ask IT", "site_unbound", `value="张三"`, `name="kept.card"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if got.status != http.StatusUnprocessableEntity {
		t.Errorf("status %d", got.status)
	}
}

func TestTooLargeAnUpload(t *testing.T) {
	t.Parallel()
	d := openDesk(t).enter()
	got := d.upload(filled(nil), "card.png", bytes.Repeat([]byte("x"), maxBody+1))
	if got.status != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, "The file is too large") {
		t.Errorf("status %d", got.status)
	}
}

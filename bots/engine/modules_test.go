package engine_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/modules/core"
	reading "branchbot/bots/modules/ocr"
	"branchbot/bots/modules/review"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// readCard runs a script with a file input "card" and one document to be read.
func readCard(ctx context.Context, t *testing.T, script string, h *hosttest.Host, path string) host.Finish {
	t.Helper()
	p := newPack(t, script)
	manifest := strings.Replace(manifest, "inputs: {", "inputs: {card: {type: file}, ", 1)
	p.Files["pack.yaml"] = []byte(manifest)
	p, err := repack(p.Files)
	if err != nil {
		t.Fatal(err)
	}
	card, err := json.Marshal(modules.File{Path: path, Name: "card.png", Digest: "sha256:1", MediaType: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	return engine.Run(ctx, engine.Config{
		Pack: p, Host: h, Logger: slog.New(slog.DiscardHandler),
		Start:   &host.Start{Run: "run_test", Journal: h.Journal(), Inputs: map[string]json.RawMessage{"card": card}},
		Modules: []modules.Factory{core.Factory(), reading.Factory(), review.Factory()},
	})
}

func idCard(verdict string) func(ocr.Request) (ocr.Document, error) {
	return func(request ocr.Request) (ocr.Document, error) {
		return ocr.Document{
			File: request.Files[0], Kind: "cn_id_card", Verdict: verdict, Digest: "sha256:1",
			Fields: map[string]ocr.Field{"name": {Value: "张三", Raw: "张 三", Confidence: 0.5, Box: [4]int{1, 2, 3, 4}, Page: 1, Doubt: "low confidence"}},
			Checks: []ocr.Check{{Rule: "gb11643", OK: verdict == ocr.Pass, Detail: "check digit"}},
		}, nil
	}
}

func TestReadingIsJournaledAndNotDoneAgain(t *testing.T) {
	t.Parallel()
	script := `
def run(input):
    card = ocr.read(input.card, kind = "cn_id_card", expect = {"name": input.word, "sex": None, "number": "1"})
    f = card.field("name")
    return {"name": card.name, "kind": card.kind, "raw": f.raw, "box": f.box, "page": f.page, "none": card.field("x"),
        "rules": [c.rule for c in card.checks], "fields": card.fields, "file": input.card.name, "path": hasattr(input.card, "path")}
`
	h := &hosttest.Host{Read: idCard(ocr.Pass)}
	f := readCard(t.Context(), t, script, h, "/scratch/first/card.png")
	want := `{"name":"张三","kind":"cn_id_card","raw":"张 三","box":[1,2,3,4],"page":1,"none":null,"rules":["gb11643"],"fields":{"name":"张三"},"file":"card.png","path":false}`
	if string(f.Output) != want {
		t.Fatalf("got %s %+v\nwant %s", f.Output, f.Exception, want)
	}
	if diff := cmp.Diff([]ocr.Request{{Files: []string{"/scratch/first/card.png"}, Kind: "cn_id_card", Expect: map[string]string{"number": "1"}}}, h.Reads()); diff != "" {
		t.Error(diff)
	}
	for _, record := range h.Journal() {
		if strings.Contains(string(record.Data), "/scratch") {
			t.Errorf("the journal holds a path: %s", record.Data)
		}
	}
	resumed := h.Resume()
	if again := readCard(t.Context(), t, script, resumed, "/scratch/second/card.png"); string(again.Output) != want || len(resumed.Reads()) != 0 {
		t.Errorf("replay gave %s %+v after %d reads", again.Output, again.Exception, len(resumed.Reads()))
	}
}

func TestReviewFailsClosed(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[string]string{
		ocr.Pass:   "",
		ocr.Review: "review_needed: a person must look at: name, gb11643",
		ocr.Reject: "document_rejected: the document is not accepted: gb11643",
		"odd":      "review_needed: a person must look at: name, gb11643",
	} {
		f := readCard(t.Context(), t, "def run(input):\n  review(ocr.read(input.card, 'cn_id_card'), title = '核对')\n", &hosttest.Host{Read: idCard(verdict)}, "/c")
		got := ""
		if f.Exception != nil {
			got = f.Exception.Code + ": " + f.Exception.Message
			if f.Exception.Kind != "business" || f.State != wire.Failed {
				t.Errorf("%s: %s %+v", verdict, f.State, f.Exception)
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", verdict, got, want)
		}
	}
}

func TestReadingErrors(t *testing.T) {
	t.Parallel()
	unreadable := func(ocr.Request) (ocr.Document, error) {
		return ocr.Document{}, fault.New(fault.Application, "picture_unreadable", "this is no picture")
	}
	other := func(ocr.Request) (ocr.Document, error) { return ocr.Document{Kind: "mrz"}, nil }
	for name, tc := range map[string]struct {
		script string
		read   func(ocr.Request) (ocr.Document, error)
		code   string
	}{
		"no picture":         {"ocr.read(input.card, 'text')", unreadable, "picture_unreadable"},
		"kind not named":     {"ocr.read(input.card, 'mrz')", other, "capability_denied"},
		"auto finds another": {"ocr.read(input.card)", other, "capability_denied"},
		"auto finds ours":    {"ocr.read([input.card, input.card])", idCard(ocr.Pass), ""},
		"no files":           {"ocr.read([])", other, "not_a_file"},
		"unknown field":      {"ocr.read(input.card, 'cn_id_card').names", idCard(ocr.Pass), "script_error"},
		"expect":             {"ocr.read(input.card, 'text', expect = {'n': 1})", other, "script_error"},
		"review of a text":   {"review('x')", other, "script_error"},
	} {
		f := readCard(t.Context(), t, "def run(input):\n  "+tc.script+"\n", &hosttest.Host{Read: tc.read}, "/c")
		if code(f) != tc.code {
			t.Errorf("%s: got %+v, want %q", name, f.Exception, tc.code)
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	p := newPack(t, "def run(input):\n  log('first', level = 'warn')\n  print('文' * 9000)\n  for i in range(100):\n    log({'n': i})\n")
	p.Manifest.Limits.Log = 5000
	h := &hosttest.Host{}
	start(t.Context(), p, &world{}, h)
	var total int
	events := h.Events()
	for _, e := range events {
		total += len(e.Message)
	}
	last := events[len(events)-1]
	if total > 5200 || events[0].Level != "warn" || !strings.Contains(last.Message, "limits.log") {
		t.Errorf("%d bytes in %d lines, the last %q", total, len(events), last.Message)
	}
}

func TestProgressIsReported(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{}
	w := &world{fail: map[string][]error{"go": {fault.New(fault.Application, "busy", "busy").Retry()}}}
	p := newPack(t, "def run(input):\n  step('s', lambda: act('go'))\n  outside('x')\n")
	p.Manifest.Retry.Attempts = 2
	start(t.Context(), p, w, h)
	var got []string
	for _, e := range h.Events() {
		got = append(got, strings.Join([]string{e.Kind, e.Name, e.State, e.Message}, " "))
		if e.At.IsZero() || e.Attempt == 0 {
			t.Errorf("%+v has no time or attempt", e)
		}
	}
	want := []string{"step s running ", "step s failed busy", "step s running ", "step s done ", "call outside running ", "call outside done "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

package library_test

import (
	"encoding/json"
	"log/slog"
	"testing"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules/all"
	"branchbot/ocr"
)

// The shipped id-check runs without a browser, on what OCR gives.
func TestIDCheck(t *testing.T) {
	t.Parallel()
	p := shipped(t, "id-check")
	document := func(verdict, name string) ocr.Document {
		return ocr.Document{Kind: "cn_id_card", Verdict: verdict, Fields: map[string]ocr.Field{
			"name": {Value: name}, "number": {Value: "11010519491231002X"}, "birth": {Value: "1949-12-31"}, "sex": {Value: "女"},
		}}
	}
	for _, tc := range []struct {
		name, read, verdict, want string
	}{
		{"all the same", "张三", ocr.Pass, "pass"},
		{"doubtful reading", "张三", ocr.Review, "review"},
		{"another name", "李四", ocr.Reject, "reject"},
		{"another name that reading did not see", "李四", ocr.Pass, "review"},
	} {
		h := &hosttest.Host{Run: "run_x", Read: func(ocr.Request) (ocr.Document, error) { return document(tc.verdict, tc.read), nil }}
		inputs, err := p.Manifest.Inputs.Parse(map[string]any{
			"name": "张三", "number": "11010519491231002x", "birth": "1949-12-31",
			"document": map[string]any{"path": "/x", "name": "x.png", "digest": "sha256:1", "media_type": "image/png"},
		})
		if err != nil {
			t.Fatal(err)
		}
		finish := engine.Run(t.Context(), engine.Config{
			Start: &host.Start{Run: "run_x", Inputs: inputs}, Pack: p, Host: h,
			Modules: all.Modules(), Logger: slog.New(slog.DiscardHandler),
		})
		var output struct{ Verdict string }
		if finish.Exception != nil || json.Unmarshal(finish.Output, &output) != nil || output.Verdict != tc.want {
			t.Errorf("%s: %s %+v, want verdict %s", tc.name, finish.Output, finish.Exception, tc.want)
		}
	}
}

//go:build linux

package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"branchbot/internal/bank"
)

// BenchmarkFill measures locate, fill and read back: native controls, and the
// sample bank's Element Plus form.
func BenchmarkFill(b *testing.B) {
	b.Run("native30", func(b *testing.B) {
		s := newSite(b, map[string]string{"/new": native30})
		run := s.bind(b, plainManifest)
		benchmarkFill(b, run, manyFields("core:/new"))
	})
	b.Run("element-plus", func(b *testing.B) {
		_, run := newBank(b, bank.Listen{TLS: true})
		benchmarkFill(b, run, bankScript+"def run():\n    browser.open(\"core:/accounts/new\", login = \"core\").form(\"个人开户\").fill(VALUES)\n")
	})
}

func benchmarkFill(b *testing.B, run *bench, script string) {
	var spent int64
	for b.Loop() {
		run.events = nil
		run.must(script)
		spent += run.events[len(run.events)-1].Form.MS
	}
	b.ReportMetric(float64(spent)/float64(b.N), "fill-ms")
}

// BenchmarkSubmit measures fill and guarded submit of the Element Plus form,
// from the open page to the receipt.
func BenchmarkSubmit(b *testing.B) {
	site, run := newBank(b, bank.Listen{TLS: true})
	run.must(bankRun) // sign in
	var n int
	for b.Loop() {
		n++
		began := time.Now()
		run.must(bankRun + fmt.Sprintf("\nVALUES[\"证件号码\"] = \"3101011990010%05d\"\n", n))
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "last-ms")
	}
	if got := site.Submissions(); got != n+1 {
		b.Errorf("%d submissions for %d runs", got, n+1)
	}
}

// native30 is a form of 14 texts, 5 selects, 4 check boxes, 3 dates, 2 radio
// groups and 2 text areas.
var native30 = func() string {
	var page strings.Builder
	page.WriteString(`<!doctype html><meta charset="utf-8"><title>三十项</title><form method="post">`)
	for i := range 14 {
		fmt.Fprintf(&page, `<p><label for="t%d">文本%d</label><input id="t%d" name="t%d"></p>`, i, i, i, i)
	}
	for i := range 5 {
		fmt.Fprintf(&page, `<p><label for="s%d">选择%d</label><select id="s%d" name="s%d"><option value="">请选择</option><option value="01">甲种</option><option value="02">乙种</option></select></p>`, i, i, i, i)
	}
	for i := range 4 {
		fmt.Fprintf(&page, `<p><label for="c%d">勾选%d</label><input type="checkbox" id="c%d" name="c%d"></p>`, i, i, i, i)
	}
	for i := range 3 {
		fmt.Fprintf(&page, `<p><label for="d%d">日期%d</label><input type="date" id="d%d" name="d%d"></p>`, i, i, i, i)
	}
	for i := range 2 {
		fmt.Fprintf(&page, `<p role="radiogroup" aria-label="单选%d"><label><input type="radio" name="r%d" value="1">是</label><label><input type="radio" name="r%d" value="2">否</label></p>`, i, i, i)
		fmt.Fprintf(&page, `<p><label for="x%d">长文%d</label><textarea id="x%d" name="x%d"></textarea></p>`, i, i, i, i)
	}
	page.WriteString(`<button>提交</button></form>`)
	return page.String()
}()

func manyFields(address string) string {
	var script strings.Builder
	fmt.Fprintf(&script, "def run():\n    browser.open(%q).fill({", address)
	for i := range 14 {
		fmt.Fprintf(&script, "%q: %q, ", fmt.Sprintf("文本%d", i), fmt.Sprintf("张三%d", i))
	}
	for i := range 5 {
		fmt.Fprintf(&script, "%q: \"乙种\", ", fmt.Sprintf("选择%d", i))
	}
	for i := range 4 {
		fmt.Fprintf(&script, "%q: True, ", fmt.Sprintf("勾选%d", i))
	}
	for i := range 3 {
		fmt.Fprintf(&script, "%q: \"1990-01-0%d\", ", fmt.Sprintf("日期%d", i), i+1)
	}
	for i := range 2 {
		fmt.Fprintf(&script, "%q: \"否\", %q: \"现场办理\", ", fmt.Sprintf("单选%d", i), fmt.Sprintf("长文%d", i))
	}
	script.WriteString("})\n")
	return script.String()
}

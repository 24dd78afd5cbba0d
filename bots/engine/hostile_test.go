package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/wire"
)

// Scripts that are only odd in shape must end as errors or run, never crash.
func TestOddShapes(t *testing.T) {
	t.Parallel()
	long := func(unit string) string { return strings.Repeat(unit, 250_000/len(unit)) }
	for name, script := range map[string]string{
		"many operators":    "x = 1" + long("+1"),
		"many attributes":   "x = ''" + long(".a"),
		"many calls":        "x = ''" + long("()"),
		"many comparisons":  "x = 1 if True else 2" + long(" or 1"),
		"nested brackets":   "x = " + long("["),
		"nested lambdas":    "x = " + long("lambda: "),
		"deep blocks":       deepBlocks(2000),
		"long line":         "x = '" + long("文") + "'",
		"many functions":    long("def f(): pass\n"),
		"many names":        manyNames(20_000),
		"null bytes":        "x = 1\x00\n",
		"not utf-8":         "x = '\xff\xfe'\n",
		"byte order mark":   "\ufeffx = 1\n",
		"carriage returns":  "x = 1\r\ny = 2\r\n",
		"huge number":       "x = " + long("9"),
		"huge shift":        "x = 1 << 100000000",
		"huge repeat":       "x = 'a' * (1 << 40)",
		"huge list":         "x = [0] * (1 << 40)",
		"format":            "x = '%s' % [1]",
		"load of nothing":   "load('', 'x')\n",
		"load of something": "load('note.txt', 'x')\n",
	} {
		p := newPack(t, script+"\ndef run(input):\n    pass\n")
		p.Manifest.Limits.Steps = 1_000_000
		f := start(t.Context(), p, &world{}, &hosttest.Host{})
		if f.State != wire.Succeeded && (f.State != wire.Failed || f.Exception.Message == "" || f.Exception.Code == "internal") {
			t.Errorf("%s: %s %+v", name, f.State, f.Exception)
		}
		p.Check()
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	b.WriteString("def f():\n")
	for i := range min(n, 600) {
		b.WriteString(strings.Repeat(" ", i+1) + "if True:\n")
	}
	b.WriteString(strings.Repeat(" ", 601) + "pass\n")
	return b.String()
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "v%d = 1\n", i)
	}
	return b.String()
}

// Whatever a script says, the engine answers with a finish.
func FuzzScript(f *testing.F) {
	data, err := os.ReadFile("testdata/errors.star")
	if err != nil {
		f.Fatal(err)
	}
	for chunk := range strings.SplitSeq(string(data), "\n---\n") {
		f.Add(chunk)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if strings.Contains(script, "*") || strings.Contains(script, "<<") || strings.Contains(script, "range") || len(script) > 4096 {
			return // memory is bounded by the runner's process, not here
		}
		p, err := repack(map[string][]byte{"pack.yaml": []byte(manifest), "main.star": []byte(script)})
		if err != nil {
			t.Fatal(err)
		}
		p.Manifest.Limits.Steps = 20_000
		finish := start(t.Context(), p, &world{}, &hosttest.Host{})
		if !strings.Contains(script, "boom") && finish.Exception != nil && finish.Exception.Code == "internal" {
			t.Fatalf("%+v", finish.Exception)
		}
		if finish.State == "" || finish.State != wire.Succeeded && finish.Exception == nil {
			t.Fatalf("no state or no reason: %+v", finish)
		}
		p.Check()
	})
}

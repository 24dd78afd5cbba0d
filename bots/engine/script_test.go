package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// Each testdata/*.star holds scripts separated by "---". A line that must fail
// ends with "### code: text"; a script without one must succeed.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.star")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line := 1
		for chunk := range strings.SplitSeq(string(data), "\n---\n") {
			first := line
			line += strings.Count(chunk, "\n") + 2
			t.Run(filepath.Base(file)+":"+strings.Split(chunk, "\n")[0], func(t *testing.T) {
				t.Parallel()
				runChunk(t, strings.Repeat("\n", first-1)+chunk)
			})
		}
	}
}

func runChunk(t *testing.T, script string) {
	want := regexp.MustCompile(`(?m)^.*### (\w+)(?:: (.*))?$`).FindStringSubmatch(script)
	read := func(ocr.Request) (ocr.Document, error) {
		return ocr.Document{Kind: "text", Verdict: ocr.Review, Fields: map[string]ocr.Field{"name": {Value: "张三", Doubt: "blurred"}}}, nil
	}
	p := newPack(t, script, "lib.star", "load('lib2.star', 'two')\nlimit = 18\ndef one():\n  return two() - 1\n", "lib2.star", "def two():\n  return 2\n",
		"cycle.star", "load('cycle.star', 'x')\n", "note.txt", "x")
	p.Manifest.Limits.Steps = 200_000
	f := start(t.Context(), p, &world{}, &hosttest.Host{Read: read})
	switch {
	case want == nil && f.State != wire.Succeeded:
		t.Errorf("failed: %+v", f.Exception)
	case want == nil:
	case f.Exception == nil:
		t.Errorf("succeeded with %s, want %s", f.Output, want[1])
	case f.Exception.Code != want[1]:
		t.Errorf("got %+v, want %s", f.Exception, want[1])
	case want[2] != "" && !regexp.MustCompile(want[2]).MatchString(f.Exception.Message):
		t.Errorf("message %q does not match %q", f.Exception.Message, want[2])
	default:
		wantWhere(t, script, f.Exception.Where)
	}
}

// wantWhere: the innermost place is the line with the mark.
func wantWhere(t *testing.T, script, where string) {
	t.Helper()
	before, _, _ := strings.Cut(script, "###")
	line := strings.Count(before, "\n") + 1
	mark := regexp.MustCompile(`^main\.star:(\d+):\d+ in `).FindStringSubmatch(where)
	if mark == nil || mark[1] != strconv.Itoa(line) {
		t.Errorf("the place is %q, want line %d", where, line)
	}
}

func TestWhereTellsTheCallStack(t *testing.T) {
	t.Parallel()
	f := start(t.Context(), newPack(t, "def a():\n    return b()\ndef b():\n    return {}['x']\ndef run(input):\n    step('s', a)\n"), &world{}, &hosttest.Host{})
	want := "main.star:4:14 in b\nmain.star:2:13 in a\nmain.star:6:9 in run"
	if f.Exception == nil || f.Exception.Where != want || f.Exception.Code != "script_error" {
		t.Errorf("got %+v, want %s", f.Exception, want)
	}
}

func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	f := start(t.Context(), newPack(t, "def run(input):\n    boom()\n"), &world{}, &hosttest.Host{})
	if f.State != wire.Failed || code(f) != fault.CodeInternal {
		t.Errorf("got %+v", f)
	}
}

func TestEndlessLoopEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cause error
		code  string
		state wire.RunState
	}{
		"deadline": {fault.New(fault.Application, "run_deadline", "too long"), "run_deadline", wire.Failed},
		"a person": {fault.New(fault.Interrupted, "cancelled", "stopped"), "cancelled", wire.Cancelled},
		"plain":    {context.Canceled, "cancelled", wire.Cancelled},
		"memory":   {fault.New(fault.Application, "run_memory", "too much"), "run_memory", wire.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			began := make(chan struct{})
			h := &watcher{Host: &hosttest.Host{}, began: began}
			go func() { <-began; cancel(tc.cause) }()
			p := newPack(t, "def run(input):\n  log('go')\n  while True:\n    pass\n")
			p.Manifest.Limits.Steps = 1 << 60
			f := startOn(ctx, p, &world{}, h, nil)
			if f.State != tc.state || code(f) != tc.code || !strings.HasPrefix(f.Exception.Where, "main.star:") {
				t.Errorf("got %s %+v", f.State, f.Exception)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	f := start(ctx, newPack(t, "def run(input):\n  while True:\n    pass\n"), &world{}, &hosttest.Host{})
	if c := code(f); c != "run_deadline" && c != "script_steps" {
		t.Errorf("got %+v", f.Exception)
	}
}

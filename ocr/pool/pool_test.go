//go:build linux

package pool

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"branchbot/internal/fault"
	"branchbot/internal/testkit/specimen"
	"branchbot/ocr"
	"branchbot/ocr/ocrtest"
	"branchbot/ocr/picture"
)

func TestMain(m *testing.M) {
	program, remove, err := ocrtest.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workerProgram = func() string { return program }
	drawn, err := specimen.Passport(specimen.Somebody())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	passport = picture.FromImage(drawn).Scaled(0.8)
	code := m.Run()
	remove()
	os.Exit(code)
}

// What TestMain prepared: where branchbot-ocr was built, and a page to read.
var (
	workerProgram func() string
	passport      *picture.Picture
)

func open(t *testing.T, options Options) *Pool {
	t.Helper()
	if options.Program == "" {
		options.Program = workerProgram()
	}
	p := Open(options)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// page is a passport page of about 1200 pixels, scaled.
func page(factor float64) image.Image { return passport.Scaled(factor).Gray }

func text(page ocr.Page) string {
	var words []string
	for _, word := range page.Words {
		words = append(words, word.Text)
	}
	return strings.Join(words, " ")
}

func english() ocr.Options { return ocr.Options{Languages: []string{"eng"}, Layout: ocr.Block} }

// pids lists the programs of the pool that are idle.
func (p *Pool) pids() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int
	for _, m := range p.idle {
		if program, ok := m.engine.(*process); ok {
			pids = append(pids, program.child.PID())
		}
	}
	return pids
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// until waits for a condition, as long as the test may run.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestReadsAndStaysWarm(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1})
	var first []int
	for i := range 3 {
		got, err := p.Recognise(t.Context(), page(1), english())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text(got), "E48752163") || !strings.HasPrefix(got.Engine, "tesseract 5") || got.CPU <= 0 {
			t.Errorf("%s: %s", got.Engine, text(got))
		}
		if i == 0 {
			first = p.pids()
		} else if pids := p.pids(); len(pids) != 1 || pids[0] != first[0] {
			t.Errorf("program %v became %v", first, pids)
		}
	}
	if !strings.Contains(p.Version(), "eng") {
		t.Errorf("version %q", p.Version())
	}
}

func TestManyAtOnceAndTwoLanguages(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 2})
	var readers sync.WaitGroup
	source := page(1)
	for i := range 6 {
		readers.Go(func() {
			language := []string{"eng", "chi_sim"}[i%2]
			if _, err := p.Recognise(t.Context(), source, ocr.Options{Languages: []string{language}}); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	if n := len(p.pids()); n < 1 || n > 2 {
		t.Errorf("%d programs stay", n)
	}
}

func TestKilledMidRequestRecovers(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1})
	if _, err := p.Recognise(t.Context(), page(0.5), english()); err != nil {
		t.Fatal(err)
	}
	pid := p.pids()[0]
	var reader sync.WaitGroup
	reader.Go(func() {
		got, err := p.Recognise(t.Context(), page(1.5), english())
		if err != nil || !strings.Contains(text(got), "E48752163") {
			t.Errorf("after the kill: %v, %q", err, text(got))
		}
	})
	until(t, "the program is busy", func() bool { return len(p.pids()) == 0 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
	if pids := p.pids(); len(pids) != 1 || pids[0] == pid {
		t.Errorf("programs %v, killed %d", pids, pid)
	}
}

// script writes a program that counts its starts and then does as body says.
func script(t *testing.T, body string) (path string, starts func() int) {
	t.Helper()
	folder := t.TempDir()
	path = filepath.Join(folder, "branchbot-ocr")
	log := filepath.Join(folder, "starts")
	content := fmt.Sprintf("#!/bin/sh\necho x >> %s\n%s\n", log, body)
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, func() int {
		data, err := os.ReadFile(log)
		if err != nil {
			return 0
		}
		return bytes.Count(data, []byte("x"))
	}
}

func TestTwiceDeadIsAnError(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"killed":         "kill -9 $$",
		"speaks no JSON": "printf 'Segmentation fault, no frames here'",
		"ends at once":   "exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, starts := script(t, body)
			p := open(t, Options{Program: path})
			_, err := p.Recognise(t.Context(), page(0.3), english())
			if fault.Code(err) != "ocr_worker_died" || starts() != 2 {
				t.Errorf("got %v after %d starts", err, starts())
			}
		})
	}
}

func TestHangingProgramIsKilled(t *testing.T) {
	t.Parallel()
	path, starts := script(t, "exec sleep 600")
	p := open(t, Options{Program: path, Timeout: 300 * time.Millisecond})
	_, err := p.Recognise(t.Context(), page(0.3), english())
	if fault.Code(err) != "ocr_timeout" || starts() != 1 {
		t.Errorf("got %v after %d starts", err, starts())
	}
}

func TestCancelledCallerIsToldSo(t *testing.T) {
	t.Parallel()
	path, _ := script(t, "exec sleep 600")
	p := open(t, Options{Program: path})
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := fault.New(fault.Interrupted, "mine", "stopped by the test")
	stop := time.AfterFunc(50*time.Millisecond, func() { cancel(mine) })
	defer stop.Stop()
	if _, err := p.Recognise(ctx, page(0.3), english()); fault.Code(err) != "mine" {
		t.Errorf("got %v", err)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ program, language, code string }{
		"program":              {"/nowhere/branchbot-ocr", "eng", "ocr_missing"},
		"language":             {"", "klingon", "ocr_language_missing"},
		"second language":      {"", "eng+klingon", "ocr_language_missing"},
		"language for command": {"tesseract", "eng+klingon", "ocr_language_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, Options{Program: tc.program})
			_, err := p.Recognise(t.Context(), page(0.3), ocr.Options{Languages: strings.Split(tc.language, "+")})
			if fault.Code(err) != tc.code || !strings.Contains(fault.Of(err).Hint, "install/deps.sh") {
				t.Errorf("got %v, hint %q", err, fault.Of(err).Hint)
			}
		})
	}
}

func TestCommandLineServesTheSame(t *testing.T) {
	t.Parallel()
	p := open(t, Options{Program: "tesseract"})
	got, err := p.Recognise(t.Context(), page(1), english())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text(got), "E48752163") || !strings.HasPrefix(got.Engine, "tesseract 5") || got.CPU <= 0 {
		t.Errorf("%s: %s", got.Engine, text(got))
	}
}

func TestNothingLegible(t *testing.T) {
	t.Parallel()
	square := image.NewGray(image.Rect(0, 0, 400, 400))
	for i := range square.Pix {
		square.Pix[i] = uint8(255 * (i / 400 / 200))
	}
	white := image.NewGray(image.Rect(0, 0, 300, 300))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	for _, program := range []string{"", "tesseract"} {
		p := open(t, Options{Program: program, MaxWorkers: 1})
		if _, err := p.Recognise(t.Context(), square, english()); fault.Code(err) != "ocr_empty" {
			t.Errorf("a drawn picture without text: %v", err)
		}
		if got, err := p.Recognise(t.Context(), white, english()); err != nil || len(got.Words) != 0 {
			t.Errorf("a blank picture: %v, %v", got, err)
		}
	}
}

// Slivers and single pixels have killed tesseract's layout analysis.
func TestOddSizesKillNobody(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1})
	if _, err := p.Recognise(t.Context(), page(0.3), english()); err != nil {
		t.Fatal(err)
	}
	before := p.pids()[0]
	for _, size := range [][2]int{{1, 1}, {1, 5000}, {5000, 1}, {7, 7}, {9, 3000}, {3000, 9}, {64, 64}} {
		noise := image.NewGray(image.Rect(0, 0, size[0], size[1]))
		for i := range noise.Pix {
			noise.Pix[i] = uint8(i * 2654435761 >> 7)
		}
		for _, layout := range []ocr.Layout{ocr.Auto, ocr.Block, ocr.Line, ocr.Sparse} {
			_, err := p.Recognise(t.Context(), noise, ocr.Options{Languages: []string{"eng"}, Layout: layout})
			if err != nil && fault.Code(err) != "ocr_empty" {
				t.Errorf("%v %s: %v", size, layout, err)
			}
		}
	}
	if after := p.pids(); len(after) != 1 || after[0] != before {
		t.Errorf("program %d became %v", before, after)
	}
}

func TestRecycledByPages(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1, MaxPages: 2})
	source := page(0.3)
	var pids []int
	for range 3 {
		if _, err := p.Recognise(t.Context(), source, english()); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, p.pids()...)
	}
	if len(pids) != 2 || pids[0] == pids[1] {
		t.Errorf("idle programs after pages 1 and 3: %v", pids)
	}
}

func TestTooLittleMemoryCostsTheProgramOnly(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1, MemoryLimit: 64 << 20})
	_, err := p.Recognise(t.Context(), page(1), english())
	if fault.Code(err) != "ocr_worker_died" {
		t.Errorf("got %v", err)
	}
}

func TestIdleProgramsLeave(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 1, IdleTime: 50 * time.Millisecond})
	if _, err := p.Recognise(t.Context(), page(0.3), english()); err != nil {
		t.Fatal(err)
	}
	until(t, "the program left", func() bool { return len(p.pids()) == 0 })
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := open(t, Options{MaxWorkers: 2})
	if _, err := p.Recognise(t.Context(), page(0.3), english()); err != nil {
		t.Fatal(err)
	}
	idle := p.pids()[0]
	var reader sync.WaitGroup
	reader.Go(func() {
		if _, err := p.Recognise(t.Context(), page(1), english()); fault.Code(err) != "ocr_closed" {
			t.Errorf("a busy reader got %v", err)
		}
	})
	until(t, "the program is busy", func() bool { return len(p.pids()) == 0 })
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	reader.Wait()
	if alive(idle) {
		t.Errorf("program %d lives on", idle)
	}
	if _, err := p.Recognise(t.Context(), page(0.3), english()); fault.Code(err) != "ocr_closed" {
		t.Errorf("after close: %v", err)
	}
}

// A parent that is killed takes its reading program along.
func TestProgramDiesWithItsParent(t *testing.T) {
	if os.Getenv("OCR_POOL_PARENT") != "" {
		p := Open(Options{Program: os.Getenv("OCR_POOL_PARENT"), MaxWorkers: 1})
		if _, err := p.Recognise(t.Context(), page(0.3), english()); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid %d\n", p.pids()[0])
		select {}
	}
	t.Parallel()
	parent := exec.Command(os.Args[0], "-test.run", "^TestProgramDiesWithItsParent$")
	parent.Env = append(os.Environ(), "OCR_POOL_PARENT="+workerProgram())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "pid %d\n", &pid); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	until(t, "the program is gone", func() bool { return !alive(pid) })
}

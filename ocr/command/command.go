// Package command reads pictures with the tesseract command line: the second
// implementation of ocr.Engine, for systems where branchbot-ocr is not to be had.
// It starts one program for each picture: slower, but nothing to keep warm.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os/exec"
	"strings"
	"time"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/child"
	"branchbot/ocr/picture"
)

// Engine is a tesseract program and the languages it is called with.
// It is safe for concurrent use.
type Engine struct {
	program   string
	languages string
	memory    int64
	version   string
}

// New asks the program for its version and languages.
// Codes: ocr_language_missing.
func New(ctx context.Context, program string, languages []string, memory int64) (*Engine, error) {
	e := &Engine{program: program, languages: strings.Join(languages, "+"), memory: memory}
	version, err := e.run(ctx, nil, "--version")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	first, _, _ := strings.Cut(version.out, "\n")
	e.version = strings.TrimSpace(first) + " " + e.languages
	listed, err := e.run(ctx, nil, "--list-langs")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its languages: %w", program, err)
	}
	return e, e.checkLanguages(strings.Fields(listed.out), languages)
}

func (e *Engine) checkLanguages(have, want []string) error {
	known := map[string]bool{}
	for _, language := range have {
		known[language] = true
	}
	for _, language := range want { // tesseract itself only warns when one of several is missing
		if !known[language] {
			return fault.New(fault.Application, "ocr_language_missing", "tesseract does not have the language %s", language).
				WithHint("Run install/deps.sh, which installs the language data.")
		}
	}
	return nil
}

// Recognise reads one picture. Codes: ocr_empty.
func (e *Engine) Recognise(ctx context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	gray := picture.FromImage(source).Gray
	page := ocr.Page{Engine: e.version}
	if picture.Blank(gray) {
		return page, nil
	}
	result, err := e.run(ctx, picture.PGM(gray), e.arguments(options)...)
	page.CPU = result.cpu
	if err != nil {
		return page, fmt.Errorf("run tesseract: %w", err)
	}
	page.Words = parseTSV(result.out)
	if len(page.Words) == 0 {
		return page, ocr.ErrEmpty()
	}
	return page, nil
}

func (e *Engine) arguments(options ocr.Options) []string {
	modes := map[ocr.Layout]string{ocr.Block: "6", ocr.Line: "7", ocr.Sparse: "11"}
	mode, ok := modes[options.Layout]
	if !ok {
		mode = "3"
	}
	args := []string{"stdin", "stdout", "-l", e.languages, "--psm", mode}
	if options.Whitelist != "" {
		args = append(args, "-c", "tessedit_char_whitelist="+options.Whitelist)
	}
	return append(args, "tsv")
}

type result struct {
	out string
	cpu time.Duration
}

// run runs the program once. An end by signal is child.ErrDied.
func (e *Engine) run(ctx context.Context, stdin []byte, args ...string) (result, error) {
	command := exec.Command(e.program, args...) //nolint:noctx // child.Start owns its end, see below
	stdout, stderr := &boundedBuffer{limit: maxOutput}, &boundedBuffer{limit: 4 << 10}
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(stdin), stdout, stderr
	running, err := child.Start(command, e.memory)
	if err != nil {
		return result{}, err
	}
	stop := context.AfterFunc(ctx, running.Kill)
	err = running.Wait()
	stop()
	got := result{out: stdout.String(), cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return got, context.Cause(ctx)
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return got, fmt.Errorf("%w: %w", child.ErrDied, exit)
	case err != nil:
		return got, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return got, nil
}

const maxOutput = 16 << 20

// boundedBuffer keeps the first limit bytes and drops the rest.
type boundedBuffer struct {
	bytes.Buffer
	limit int
}

func (b *boundedBuffer) Write(data []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

// Worn reports whether the engine should be replaced: never, nothing is kept.
func (e *Engine) Worn() bool { return false }

// Version names tesseract and its languages.
func (e *Engine) Version() string { return e.version }

// Close does nothing: no program outlives its picture.
func (e *Engine) Close() error { return nil }

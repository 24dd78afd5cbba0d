package pool

import (
	"context"
	"fmt"
	"image"
	"strings"
	"time"

	"branchbot/ocr"
	"branchbot/ocr/command"
)

// engine is what a member reads with; Worn asks for it to be replaced.
type engine interface {
	ocr.Engine
	Worn() bool
}

// member is a place in the pool: a language set and its program, which is
// started by the first picture. One caller at a time has it.
type member struct {
	options   Options
	languages string
	engine    engine
	pages     int
	leave     *time.Timer // set while idle
}

func (m *member) recognise(ctx context.Context, gray *image.Gray, options ocr.Options) (ocr.Page, error) {
	if m.engine == nil {
		if err := m.start(ctx); err != nil {
			return ocr.Page{}, fmt.Errorf("start reading program: %w", err)
		}
	}
	m.pages++
	return m.engine.Recognise(ctx, gray, options)
}

func (m *member) start(ctx context.Context) error {
	found, err := find(m.options.Program)
	if err != nil {
		return err
	}
	m.options.Logger.Debug("starting reading program", "program", found.path, "languages", m.languages)
	var started engine
	if found.isTesseract {
		started, err = command.New(ctx, found.path, strings.Split(m.languages, "+"), m.options.MemoryLimit)
	} else {
		started, err = startProcess(ctx, found.path, m.languages, m.options.MemoryLimit)
	}
	if err != nil {
		return err
	}
	m.engine = started
	return nil
}

func (m *member) worn() bool {
	return m.engine == nil || m.pages >= m.options.MaxPages || m.engine.Worn()
}

func (m *member) close() {
	if m.engine != nil {
		_ = m.engine.Close() // ends a program by killing it: nothing to learn
	}
}

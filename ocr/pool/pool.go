// Package pool keeps warm reading programs and hands pictures to them. It
// implements ocr.Engine and, unlike a single engine, is safe for concurrent use.
//
// What always holds: a picture that kills, hangs or bloats a program costs that
// program and one attempt, never the caller; at most MaxWorkers programs live;
// an idle one leaves after a minute; none outlives the pool or its process.
//
// The program is branchbot-ocr. Where it is not to be found the tesseract command
// line serves the same interface, slower.
package pool

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/child"
	"branchbot/ocr/picture"
)

// Options of a pool; the zero value is good.
type Options struct {
	// Program is the path of branchbot-ocr or tesseract. "" looks beside this
	// executable, then in PATH.
	Program     string
	Logger      *slog.Logger
	MaxWorkers  int           // 2, or 1 on a machine with one processor
	MemoryLimit int64         // bytes of data a program may hold (RLIMIT_DATA)
	Timeout     time.Duration // of one recognition
	MaxPages    int           // a program is replaced after so many
	IdleTime    time.Duration // an idle program leaves after it
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxWorkers <= 0 {
		o.MaxWorkers = min(2, runtime.NumCPU())
	}
	setDefault(&o.MemoryLimit, 768<<20)
	setDefault(&o.Timeout, time.Minute)
	setDefault(&o.MaxPages, 200)
	setDefault(&o.IdleTime, time.Minute)
	return o
}

func setDefault[T int | int64 | time.Duration](value *T, fallback T) {
	if *value <= 0 {
		*value = fallback
	}
}

// Pool is the engine the agent uses. Make it with Open.
type Pool struct {
	options Options
	logger  *slog.Logger
	slots   chan struct{} // one token for each picture being read
	life    context.Context
	end     context.CancelCauseFunc

	mu      sync.Mutex
	idle    []*member // least recently used first
	live    int       // idle and busy
	version string
	leaving sync.WaitGroup // members on their way out
}

// Open makes a pool. It touches nothing outside until the first picture.
func Open(options Options) *Pool {
	options = options.withDefaults()
	life, end := context.WithCancelCause(context.Background())
	return &Pool{
		options: options, logger: options.Logger.With("component", "ocr"),
		slots: make(chan struct{}, options.MaxWorkers),
		life:  life, end: end, version: tesseractName,
	}
}

// Recognise reads one picture with the languages of its options (eng if none).
// Codes: ocr_missing, ocr_language_missing, ocr_empty, ocr_timeout,
// ocr_worker_died, ocr_closed.
func (p *Pool) Recognise(ctx context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	gray := picture.FromImage(source).Gray
	if len(options.Languages) == 0 {
		options.Languages = []string{"eng"}
	}
	page, err := p.attempt(ctx, gray, options)
	if errors.Is(err, child.ErrDied) {
		p.logger.Warn("reading program died, trying a fresh one", "error", err)
		page, err = p.attempt(ctx, gray, options)
	}
	if errors.Is(err, child.ErrDied) {
		return page, fault.New(fault.Application, "ocr_worker_died", "two reading programs died on this picture: %w", err).
			WithHint("Scan the document again. If other pictures fail too, run branchbot doctor.")
	}
	return page, err
}

// attempt reads the picture with one member, under the deadline and the pool's life.
func (p *Pool) attempt(ctx context.Context, gray *image.Gray, options ocr.Options) (ocr.Page, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.life, func() { cancel(context.Cause(p.life)) })()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ocr.Page{}, context.Cause(ctx)
	}
	ctx, stop := context.WithTimeoutCause(ctx, p.options.Timeout, errTimeout(p.options.Timeout))
	defer stop()
	m := p.acquire(strings.Join(options.Languages, "+"))
	defer p.release(m)
	return m.recognise(ctx, gray, options)
}

func errTimeout(limit time.Duration) error {
	return fault.New(fault.Application, "ocr_timeout", "the picture was not read within %s", limit).
		WithHint("Scan with 200 to 300 dpi, one document to a picture.")
}

// acquire takes an idle member with these languages or makes one that is still to
// be started. A full pool gives up the member that was idle longest: the caller
// holds a slot, so there is one.
func (p *Pool) acquire(languages string) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if m := p.idle[i]; m.languages == languages {
			p.idle = slices.Delete(p.idle, i, i+1)
			m.leave.Stop()
			return m
		}
	}
	if p.live >= p.options.MaxWorkers && len(p.idle) > 0 {
		oldest := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		p.retire(oldest)
	}
	p.live++
	return &member{options: p.options, languages: languages}
}

// release puts a member among the idle ones while it is healthy and fresh.
func (p *Pool) release(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.engine != nil {
		p.version = m.engine.Version()
	}
	if m.worn() || p.life.Err() != nil {
		p.retire(m)
		return
	}
	p.idle = append(p.idle, m)
	m.leave = time.AfterFunc(p.options.IdleTime, func() { p.dismiss(m) })
}

// dismiss ends a member that has been idle for long.
func (p *Pool) dismiss(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, m); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		p.retire(m)
	}
}

// retire ends a member. Called with the pool locked.
func (p *Pool) retire(m *member) {
	p.live--
	if m.leave != nil {
		m.leave.Stop()
	}
	p.leaving.Go(m.close)
}

// Version names engine and models as last seen; before the first picture only
// the family is known.
func (p *Pool) Version() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version
}

// Close ends all programs, also the busy ones, and waits for them. It may be
// called twice.
func (p *Pool) Close() error {
	p.end(fault.New(fault.Interrupted, "ocr_closed", "the reading programs are shut down"))
	for range cap(p.slots) { // whoever is busy sees the end of the pool's life
		p.slots <- struct{}{}
	}
	p.mu.Lock()
	for _, m := range p.idle {
		p.retire(m)
	}
	p.idle = nil
	p.mu.Unlock()
	for range cap(p.slots) {
		<-p.slots
	}
	p.leaving.Wait()
	return nil
}

package browser

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"

	"branchbot/internal/fault"
)

const (
	callLimit  = 30 * time.Second // of any one call to the browser
	startLimit = 30 * time.Second
)

// chromium is the run's supervised browser: one process, one connection.
type chromium struct {
	process *process
	client  *cdp.Client
	logger  *slog.Logger
	started atomic.Bool     // the page that it starts with is in use
	ctx     context.Context // ends with the browser; the cause is the fault to report
	end     context.CancelCauseFunc
	work    sync.WaitGroup

	mu   sync.Mutex
	tabs map[proto.TargetSessionID]*tab
}

// startChromium starts the browser and waits for its first answer. ready is
// called with the process group before anything is asked of it.
func startChromium(ctx context.Context, l launch, ready func(pgid int)) (*chromium, error) {
	process, err := l.start(ctx)
	if err != nil {
		return nil, err
	}
	ready(process.pid)
	b := &chromium{process: process, logger: l.logger, tabs: map[proto.TargetSessionID]*tab{}}
	b.ctx, b.end = context.WithCancelCause(context.Background())
	b.client = cdp.New().Start(process.pipe)
	b.work.Go(b.dispatch)
	b.work.Go(func() { <-b.ctx.Done(); process.kill() }) // whatever ended it
	if err := b.answer(ctx, startLimit); err != nil {
		reason := process.noise.last()
		return nil, errors.Join(fault.New(fault.Application, "browser_start", "browser did not start: %w (%s)", err, reason).
			WithHint("run install/deps.sh, or set browser.path in the configuration").Retry(), b.Close())
	}
	b.work.Go(func() { b.watch(l.pulse) })
	return b, nil
}

// answer asks the browser for a sign of life.
func (b *chromium) answer(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := b.Call(ctx, "", proto.BrowserGetVersion{}.ProtoReq(), nil)
	return err
}

// dispatch hands events to their tabs until the connection ends.
func (b *chromium) dispatch() {
	for event := range b.client.Event() {
		b.mu.Lock()
		t := b.tabs[proto.TargetSessionID(event.SessionID)]
		b.mu.Unlock()
		if t != nil {
			t.handle(event)
		}
	}
	b.end(b.process.pipe.cause())
}

func died() error {
	return fault.New(fault.Application, "browser_died", "the browser ended by itself").
		WithHint("the step is tried again with a new browser").Retry()
}

// limitOf is the longest that the browser may take to answer a call. A page
// answers Page.navigate only when the site does; visit has a limit for that.
func limitOf(method string) time.Duration {
	if method == (proto.PageNavigate{}).ProtoReq() {
		return visitLimit + callLimit
	}
	return callLimit
}

// Call sends one message and waits for its answer, never longer than its limit.
// It is the proto.Client of a tab.
func (b *chromium) Call(ctx context.Context, session, method string, params any) ([]byte, error) {
	call, cancel := context.WithTimeout(ctx, limitOf(method))
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	if params == nil {
		params = struct{}{}
	}
	data, err := b.client.Call(call, session, method, params)
	if err == nil {
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", method, b.explain(ctx, session, err))
}

// explain turns a failed call into what really happened: the browser is gone,
// the run was stopped, the browser refused, or the browser or page does not answer.
func (b *chromium) explain(ctx context.Context, session string, err error) error {
	var refused *cdp.Error
	switch {
	case errors.As(err, &refused):
		return err
	case b.ctx.Err() != nil:
		return context.Cause(b.ctx)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return b.process.pipe.cause()
	case session != "":
		return pageFrozen()
	}
	b.end(frozen())
	return frozen()
}

// dead reports whether the browser is gone.
func (b *chromium) dead() bool { return b.ctx.Err() != nil }

// living are the tabs that can still be worked with.
func (b *chromium) living() []*tab {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(b.tabs)), func(t *tab) bool { return t.gone.Err() != nil })
}

func (b *chromium) add(t *tab) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tabs[t.session] = t
}

func (b *chromium) remove(t *tab) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.tabs, t.session)
}

// Close kills the browser, waits for what we started and wipes the profile.
func (b *chromium) Close() error {
	b.end(fault.New(fault.Application, "browser_closed", "the browser was closed"))
	err := b.process.Close()
	b.work.Wait()
	return err
}

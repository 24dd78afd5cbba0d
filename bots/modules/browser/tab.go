package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"
	"github.com/ysmood/gson"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// world is the name of our isolated world: page scripts can neither see nor
// change what runs in it, and it sees the same document.
const world = "branchbot"

// closeLimit is how long closing a page may take; it ends with the browser at the latest.
const closeLimit = 5 * time.Second

// blank is the page that a browser and a tab begin with.
const blank = "about:blank"

// tab is one page of the browser, as the protocol sees it.
type tab struct {
	browser *chromium
	session proto.TargetSessionID
	target  proto.TargetTargetID
	popups  []pack.Popup
	gone    context.Context // ends when the page crashes, falls silent, is closed or goes with its browser; the cause is the fault
	end     context.CancelCauseFunc

	heart heart // the watch's own

	mu      sync.Mutex
	context proto.RuntimeExecutionContextID     // of our world, 0 when it must be made anew
	asked   []proto.PageJavascriptDialogOpening // dialogs that nobody expected: the first of them
	told    int                                 // how many of asked were told
	acting  int                                 // visits and presses under way: the page may be left
	closed  bool
}

// open makes a tab in the given context ("" is the browser's own).
func (b *chromium) open(ctx context.Context, in proto.BrowserBrowserContextID, popups []pack.Popup) (*tab, error) {
	deny := proto.BrowserSetDownloadBehavior{Behavior: proto.BrowserSetDownloadBehaviorBehaviorDeny, BrowserContextID: in}
	denied := b.process.pipe.post("", deny.ProtoReq(), deny)
	target, err := b.target(ctx, in)
	if err != nil {
		return nil, err
	}
	attached, err := proto.TargetAttachToTarget{TargetID: target, Flatten: true}.Call(caller{chromium: b, ctx: ctx})
	if err != nil {
		return nil, err
	}
	t := &tab{browser: b, session: attached.SessionID, target: target, popups: popups}
	t.gone, t.end = context.WithCancelCause(b.ctx)
	b.add(t)
	if err := t.prepare(ctx, denied); err != nil {
		t.close(ctx)
		return nil, err
	}
	return t, nil
}

// target is the page that the browser has started with, once, or a new one. It
// has a window of its own: pages in a hidden tab draw no frames.
func (b *chromium) target(ctx context.Context, in proto.BrowserBrowserContextID) (proto.TargetTargetID, error) {
	call := caller{chromium: b, ctx: ctx}
	fresh := proto.TargetCreateTarget{URL: blank, BrowserContextID: in, NewWindow: true}
	if in == "" && !b.started.Swap(true) {
		found, err := proto.TargetGetTargets{}.Call(call)
		if err != nil {
			return "", err
		}
		for _, known := range found.TargetInfos {
			if known.Type == proto.TargetTargetInfoTypePage && known.URL == blank {
				// Another window stays open: with the last one the session would be lost.
				b.process.pipe.post("", fresh.ProtoReq(), fresh)
				return known.TargetID, nil
			}
		}
	}
	made, err := fresh.Call(call)
	if err != nil {
		return "", err
	}
	return made.TargetID, nil
}

// prepare sets a tab up. Before its renderer is there, which the first call
// waits for, it would be called crashed.
func (t *tab) prepare(ctx context.Context, setup ...<-chan error) error {
	if err := (proto.PageEnable{}).Call(t.call(ctx)); err != nil {
		return err
	}
	return t.wait(ctx, append(setup, t.post(proto.InspectorEnable{}), t.post(proto.EmulationSetFocusEmulationEnabled{Enabled: true})))
}

// caller is the proto.Client for one session and context.
type caller struct {
	*chromium
	ctx     context.Context
	session proto.TargetSessionID
	tab     *tab // nil for the browser itself
}

// Call is that of the browser, ended when the page crashes.
func (c caller) Call(ctx context.Context, session, method string, params any) ([]byte, error) {
	if c.tab == nil {
		return c.chromium.Call(ctx, session, method, params)
	}
	if err := c.tab.trouble(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.tab.gone, func() { cancel(context.Cause(c.tab.gone)) })()
	data, err := c.chromium.Call(ctx, session, method, params)
	if fault.HasCode(err, codePageFrozen) {
		c.tab.end(err)
	}
	return data, err
}

func (c caller) GetContext() context.Context         { return c.ctx }
func (c caller) GetSessionID() proto.TargetSessionID { return c.session }

func (t *tab) call(ctx context.Context) caller { return caller{t.browser, ctx, t.session, t} }

// post sends without waiting. Posts of one tab keep their order.
func (t *tab) post(request proto.Request) <-chan error {
	return t.browser.process.pipe.post(string(t.session), request.ProtoReq(), request)
}

// handle takes an event. It runs on the connection's goroutine: it may post,
// never call.
func (t *tab) handle(event *cdp.Event) {
	switch event.Method {
	case proto.InspectorTargetCrashed{}.ProtoEvent():
		t.end(fault.New(fault.Application, "tab_crashed", "the page crashed").WithHint("the step is tried again").Retry())
	case proto.PageJavascriptDialogOpening{}.ProtoEvent():
		var dialog proto.PageJavascriptDialogOpening
		if json.Unmarshal(event.Params, &dialog) == nil {
			t.dialog(dialog)
		}
	}
}

// manyDialogs are more than a page has a reason for; only the first are told.
const manyDialogs = 20

// dialog answers alert, confirm, prompt and beforeunload: with yes where on_popup
// lists its text or leaving the page is what we do, else in the way that
// changes nothing.
func (t *tab) dialog(d proto.PageJavascriptDialogOpening) {
	t.mu.Lock()
	defer t.mu.Unlock()
	listed := d.Type == proto.PageDialogTypeBeforeunload && t.acting > 0
	for _, popup := range t.popups {
		listed = listed || popup.Text != "" && strings.Contains(d.Message, popup.Text)
	}
	if !listed && len(t.asked) < manyDialogs {
		t.asked = append(t.asked, d)
	}
	t.post(proto.PageHandleJavaScriptDialog{Accept: listed})
}

// dialogs counts those that were dismissed.
func (t *tab) dialogs() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.asked)
}

// lastDialog is the text of the last one that was dismissed.
func (t *tab) lastDialog() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) == 0 {
		return ""
	}
	return shorten(t.asked[len(t.asked)-1].Message, 200)
}

// untold are the dismissed dialogs that were not yet told; once.
func (t *tab) untold() []proto.PageJavascriptDialogOpening {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := t.asked[t.told:]
	t.told = len(t.asked)
	return fresh
}

// act notes that the page may be left, until the returned function is called.
func (t *tab) act() (over func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acting++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.acting--
	})
}

// trouble says why the page can no longer be worked with.
func (t *tab) trouble() error {
	if t.gone.Err() != nil {
		return context.Cause(t.gone)
	}
	return nil
}

// errMoved says that the document went away under a call: it may be asked again
// of the next document where that does no harm.
var errMoved = fault.New(fault.Application, "page_changed", "the page changed while it was being worked on").Retry()

// once calls function name of our script in the page and decodes its value.
func (t *tab) once(ctx context.Context, out any, name string, args ...any) error {
	where, err := t.enter(ctx)
	if err != nil {
		return moved(err)
	}
	if args == nil {
		args = []any{}
	}
	arguments := []*proto.RuntimeCallArgument{{Value: gson.New(name)}, {Value: gson.New(args)}}
	result, err := proto.RuntimeCallFunctionOn{
		FunctionDeclaration: "(name, args) => bb[name](...args)",
		ExecutionContextID:  where, Arguments: arguments, AwaitPromise: true, ReturnByValue: true,
	}.Call(t.call(ctx))
	if err != nil {
		t.leave()
		return moved(err)
	}
	if result.ExceptionDetails != nil {
		return fault.New(fault.Application, fault.CodeInternal, "page script %s: %s", name, thrown(result.ExceptionDetails))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal([]byte(result.Result.Value.JSON("", "")), out)
}

// ask is once for questions: they are asked again when the document changes,
// but not of a page that leads on without end.
func (t *tab) ask(ctx context.Context, out any, name string, args ...any) error {
	bounded, cancel := context.WithTimeoutCause(ctx, visitLimit, restless())
	defer cancel()
	for {
		err := t.once(bounded, out, name, args...)
		switch {
		case !errors.Is(err, errMoved):
			return err
		case bounded.Err() == nil:
		case fault.HasCode(context.Cause(bounded), codeSlow):
			return restless() // it was there, again and again
		default:
			return context.Cause(bounded)
		}
	}
}

// enter returns our world in the present document, made if need be.
func (t *tab) enter(ctx context.Context) (proto.RuntimeExecutionContextID, error) {
	t.mu.Lock()
	known := t.context
	t.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	made, err := proto.PageCreateIsolatedWorld{FrameID: proto.PageFrameID(t.target), WorldName: world}.Call(t.call(ctx))
	if err != nil {
		return 0, err
	}
	_, err = proto.RuntimeEvaluate{Expression: script(), ContextID: made.ExecutionContextID}.Call(t.call(ctx))
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.context = made.ExecutionContextID
	return t.context, nil
}

// leave forgets our world: its document may be gone.
func (t *tab) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.context = 0
}

// moved tells "the document went away" from other failures.
func moved(err error) error {
	var refused *cdp.Error
	if !errors.As(err, &refused) {
		return err
	}
	for _, sign := range []string{"context", "navigated", "No frame", "Frame", "uniqueContextId"} {
		if strings.Contains(refused.Message, sign) {
			return errMoved
		}
	}
	return err
}

func thrown(details *proto.RuntimeExceptionDetails) string {
	if details.Exception != nil && details.Exception.Description != "" {
		return details.Exception.Description
	}
	return details.Text
}

// close closes the page. What it still sends is the proxy's to refuse.
func (t *tab) close(ctx context.Context) {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	defer t.end(fault.New(fault.Application, "page_closed", "the page was closed"))
	if closed || t.browser.dead() {
		return
	}
	defer t.browser.remove(t)
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	if _, err := (proto.TargetCloseTarget{TargetID: t.target}).Call(caller{chromium: t.browser, ctx: ctx}); err != nil {
		t.browser.logger.Debug("close page", "error", err) // best effort: the browser is killed at the end of the run
	}
}

// shorten cuts a text at a number of characters.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return fmt.Sprintf("%s…", string(runes[:limit]))
}

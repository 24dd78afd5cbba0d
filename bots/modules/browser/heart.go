package browser

import (
	"errors"
	"time"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/proto"

	"branchbot/internal/fault"
)

// pulse says how what is frozen is told from what is slow. Silence is counted
// in beats, not in time: when the whole machine stands still, we do too.
type pulse struct {
	beat   time.Duration // between two looks
	answer time.Duration // the browser and its network service: in milliseconds when alive
	page   time.Duration // a page: its own script may keep it busy for long
}

func usualPulse() pulse {
	return pulse{beat: 2 * time.Second, answer: 16 * time.Second, page: 30 * time.Second}
}

// heart is one thing that is asked for a sign of life again and again.
type heart struct {
	reply  <-chan error // of the question under way, nil: none
	missed int          // beats since it was asked
}

// beat asks again once the last question was answered, and returns for how many
// beats there has been silence. A refusal is an answer.
func (h *heart) beat(ask func() <-chan error) int {
	var refused *cdp.Error
	select {
	case err := <-h.reply:
		if err == nil || errors.As(err, &refused) {
			h.reply = nil
		}
	default:
	}
	if h.reply == nil {
		h.reply, h.missed = ask(), 0
		return 0
	}
	h.missed++
	return h.missed
}

// watch ends a browser, or a page, that no longer answers: it would hang for ever.
func (b *chromium) watch(p pulse) {
	ticker := time.NewTicker(p.beat)
	defer ticker.Stop()
	var browser, network heart
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-ticker.C:
		}
		limit := int(p.answer / p.beat)
		if browser.beat(b.version) > limit || network.beat(b.cookies) > limit {
			b.end(frozen())
			return
		}
		for _, t := range b.living() {
			if t.heart.beat(t.frame) > int(p.page/p.beat) {
				t.end(pageFrozen())
			}
		}
	}
}

// version is answered by the browser process.
func (b *chromium) version() <-chan error {
	return b.process.pipe.post("", proto.BrowserGetVersion{}.ProtoReq(), nil)
}

// cookies is answered by the network service. What it says goes no further than the pipe.
func (b *chromium) cookies() <-chan error {
	return b.process.pipe.post("", proto.StorageGetCookies{}.ProtoReq(), nil)
}

// frame is answered by the page's own process once it has drawn a frame, for
// which it needs the GPU process too.
func (t *tab) frame() <-chan error {
	t.mu.Lock()
	where := t.context
	t.mu.Unlock()
	if where == 0 { // between two documents
		return t.post(proto.RuntimeEvaluate{Expression: "0"})
	}
	return t.post(proto.RuntimeEvaluate{Expression: "bb.frame()", ContextID: where, AwaitPromise: true})
}

// Codes of what is silent: only another browser helps.
const (
	codeFrozen     = "browser_frozen"
	codePageFrozen = "page_frozen"
)

func frozen() error {
	return fault.New(fault.Application, codeFrozen, "the browser does not answer").
		WithHint("the step is tried again with a new browser").Retry()
}

func pageFrozen() error {
	return fault.New(fault.Application, codePageFrozen, "the page does not answer").
		WithHint("the step is tried again with a new browser").Retry()
}

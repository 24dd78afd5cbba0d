package browser

import (
	"context"
	"errors"

	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"

	"branchbot/internal/fault"
)

// action is what the page asks our hand to do next. All of it is trusted input.
type action struct {
	Op      string     `json:"op"` // click | text | key | burst | done | fault | broken
	X       float64    `json:"x"`
	Y       float64    `json:"y"`
	Text    string     `json:"text"`
	Secret  *int       `json:"secret"`
	Key     string     `json:"key"`
	Items   []action   `json:"items"`
	Done    report     `json:"done"`
	Fault   *pageFault `json:"fault"`
	Message string     `json:"message"`
}

// report is how a fill went.
type report struct {
	Title  string        `json:"title"`
	Healed int           `json:"healed"`
	Fields []fieldReport `json:"fields"`
}

type fieldReport struct {
	Label    string `json:"label"`
	By       string `json:"by"`     // what it was found by: label, aria, nearby, placeholder, …
	Widget   string `json:"widget"` // the family that took the value
	Refilled bool   `json:"refilled"`
}

// hand does the page's actions. secrets are the texts behind secret handles;
// they go to the input of the browser, never through a script.
type hand struct {
	tab     *tab
	secrets []string
}

// fill carries one fill out: the page conducts, we act until it is done.
func (h hand) fill(ctx context.Context, title string, fields []wanted, ms int64) (report, error) {
	var next action
	err := h.tab.once(ctx, &next, "begin", title, fields, ms)
	for err == nil {
		switch next.Op {
		case "done":
			return next.Done, nil
		case "fault":
			return report{}, next.Fault.err()
		case "broken":
			return report{}, fault.New(fault.Application, fault.CodeInternal, "page script: %s", next.Message)
		}
		if err = h.do(ctx, next); err == nil {
			next = action{}
			err = h.tab.once(ctx, &next, "next")
		}
	}
	return report{}, err
}

// do sends an action's input without waiting between its parts, then waits for all.
func (h hand) do(ctx context.Context, a action) error {
	var replies []<-chan error
	for _, part := range append([]action{a}, a.Items...) {
		requests, err := h.requests(part)
		if err != nil {
			return err
		}
		for _, request := range requests {
			replies = append(replies, h.tab.post(request))
		}
	}
	return h.tab.wait(ctx, replies)
}

func (h hand) requests(a action) ([]proto.Request, error) {
	switch {
	case a.Op == "click":
		return click(a.X, a.Y), nil
	case a.Op == "burst":
		return nil, nil // its items follow
	case a.Key != "":
		return key(a.Key)
	case a.Secret != nil:
		if *a.Secret < 0 || *a.Secret >= len(h.secrets) {
			return nil, fault.New(fault.Application, fault.CodeInternal, "no secret %d in this fill", *a.Secret)
		}
		return []proto.Request{proto.InputInsertText{Text: h.secrets[*a.Secret]}}, nil
	default:
		return []proto.Request{proto.InputInsertText{Text: a.Text}}, nil
	}
}

// click is a press without a movement before it, which would cost a frame.
func click(x, y float64) []proto.Request {
	event := proto.InputDispatchMouseEvent{X: x, Y: y, Button: proto.InputMouseButtonLeft, ClickCount: 1}
	press, release := event, event
	press.Type, release.Type = proto.InputDispatchMouseEventTypeMousePressed, proto.InputDispatchMouseEventTypeMouseReleased
	return []proto.Request{press, release}
}

func key(name string) ([]proto.Request, error) {
	known := map[string]input.Key{"Tab": input.Tab, "Escape": input.Escape, "Enter": input.Enter, "Delete": input.Delete, " ": input.Space}
	k, ok := known[name]
	if !ok {
		return nil, fault.New(fault.Application, fault.CodeInternal, "unknown key %q", name)
	}
	return []proto.Request{*k.Encode(proto.InputDispatchKeyEventTypeKeyDown, 0), *k.Encode(proto.InputDispatchKeyEventTypeKeyUp, 0)}, nil
}

// press clicks once at a point of the page.
func (t *tab) press(ctx context.Context, at spot) error {
	var replies []<-chan error
	for _, request := range click(at.X, at.Y) {
		replies = append(replies, t.post(request))
	}
	return t.wait(ctx, replies)
}

// wait takes the replies to posts. A page that goes away under a click has been clicked.
func (t *tab) wait(ctx context.Context, replies []<-chan error) error {
	bounded, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for _, reply := range replies {
		select {
		case err := <-reply:
			if err != nil && !errors.Is(moved(err), errMoved) {
				return t.browser.explain(ctx, string(t.session), err)
			}
		case <-t.browser.ctx.Done():
			return context.Cause(t.browser.ctx)
		case <-t.gone.Done():
			return context.Cause(t.gone)
		case <-bounded.Done():
			err := t.browser.explain(ctx, string(t.session), bounded.Err())
			if fault.HasCode(err, codePageFrozen) {
				t.end(err)
			}
			return err
		}
	}
	return nil
}

// spot is a point to click at, or why there is none.
type spot struct {
	X     float64    `json:"x"`
	Y     float64    `json:"y"`
	Fault *pageFault `json:"fault"`
}

func (s spot) err() error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault.err()
}

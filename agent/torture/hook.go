package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"

	"branchbot/internal/fault"
)

// order is a line from torture to the tortured agent.
type order struct {
	Do      string `json:"do"`                // arm | disarm | go
	Point   string `json:"point,omitempty"`   // of arm
	Passing int    `json:"passing,omitempty"` // of arm: stop when it is passed this often
}

// saying is a line from the tortured agent to torture.
type saying struct {
	Say   string `json:"say"` // ready | reached | disarmed
	Point string `json:"point,omitempty"`
}

// What is ordered and what is said.
const (
	doArm, doDisarm, doGo             = "arm", "disarm", "go"
	sayReady, sayReached, sayDisarmed = "ready", "reached", "disarmed"
)

// Hook stands in the tortured agent at every named point. It takes orders on one
// stream and answers on another.
type Hook struct {
	orders *bufio.Scanner

	mu       sync.Mutex
	out      *json.Encoder
	point    string // that is armed, "" for none
	left     int    // passings until it stops there
	released chan struct{}
}

// NewHook makes a hook; Obey lets it listen.
func NewHook(orders io.Reader, answers io.Writer) *Hook {
	return &Hook{orders: bufio.NewScanner(orders), out: json.NewEncoder(answers)}
}

// Arm makes the hook stop at the point's passing before the first order comes: at
// what happens while the agent starts.
func (h *Hook) Arm(point string, passing int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arm(point, passing)
}

// arm is called with the hook locked.
func (h *Hook) arm(point string, passing int) {
	h.point, h.left, h.released = point, passing, make(chan struct{})
}

// Point is the agent's Options.Point: it returns at once, unless this is where
// torture wants to kill somebody.
func (h *Hook) Point(name string) {
	h.mu.Lock()
	if name != h.point || name == "" {
		h.mu.Unlock()
		return
	}
	h.left--
	if h.left > 0 {
		h.mu.Unlock()
		return
	}
	h.point = ""
	h.say(saying{Say: sayReached, Point: name})
	released := h.released
	h.mu.Unlock()
	<-released
}

// Obey follows orders until the stream ends: then torture is gone, and the
// context returned with it. stop must be called at the end.
func (h *Hook) Obey(ctx context.Context) (obeying context.Context, stop func()) {
	obeying, cancel := context.WithCancelCause(ctx)
	go func() { // ends with the process's standard input: nobody can wait for it
		for h.orders.Scan() {
			h.follow(h.orders.Bytes())
		}
		h.leave()
		cancel(fault.New(fault.Interrupted, "torture_gone", "torture has ended and with it the tortured agent"))
	}()
	return obeying, func() { cancel(nil) }
}

func (h *Hook) follow(line []byte) {
	var o order
	if json.Unmarshal(line, &o) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch o.Do {
	case doArm:
		h.arm(o.Point, o.Passing)
	case doDisarm:
		if h.point != "" { // else it was reached, and that has been said
			h.point = ""
			h.say(saying{Say: sayDisarmed})
		}
	case doGo:
		h.release()
	}
}

// release lets go who waits at the point. Called with the hook locked.
func (h *Hook) release() {
	if h.released != nil {
		close(h.released)
		h.released = nil
	}
}

func (h *Hook) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.point = ""
	h.release()
}

// say answers. Torture that does not listen any more is gone, which Obey sees.
// Called with the hook locked.
func (h *Hook) say(s saying) { _ = h.out.Encode(s) }

// Notices is the agent's Options.Notices: once it says that it listens, torture hears it.
func (h *Hook) Notices(to slog.Handler) *slog.Logger { return slog.New(announcer{to, h}) }

type announcer struct {
	slog.Handler
	hook *Hook
}

func (a announcer) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "listening" {
		a.hook.mu.Lock()
		a.hook.say(saying{Say: sayReady})
		a.hook.mu.Unlock()
	}
	return a.Handler.Handle(ctx, r)
}

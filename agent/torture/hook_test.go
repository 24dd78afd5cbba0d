package torture_test

import (
	"bufio"
	"encoding/json"
	"io"
	"testing"
	"testing/synctest"

	"branchbot/agent/torture"
)

// lines is a pair of streams to a hook.
type lines struct {
	t       *testing.T
	orders  *io.PipeWriter
	answers *bufio.Scanner
}

func newHook(t *testing.T) (*torture.Hook, lines) {
	ordersOut, orders := io.Pipe()
	answers, answersIn := io.Pipe()
	hook := torture.NewHook(ordersOut, answersIn)
	return hook, lines{t, orders, bufio.NewScanner(answers)}
}

func (l lines) order(line string) {
	l.t.Helper()
	if _, err := io.WriteString(l.orders, line+"\n"); err != nil {
		l.t.Fatal(err)
	}
}

func (l lines) heard(want string) {
	l.t.Helper()
	if !l.answers.Scan() {
		l.t.Fatalf("nothing was said, want %q", want)
	}
	var said struct {
		Say   string `json:"say"`
		Point string `json:"point"`
	}
	if err := json.Unmarshal(l.answers.Bytes(), &said); err != nil || said.Say+" "+said.Point != want {
		l.t.Fatalf("said %s (%v), want %q", l.answers.Bytes(), err, want)
	}
}

// Who comes to an armed point for the k-th time stays there until it is let go;
// whoever passes another one, or too early, is not held.
func TestHookHoldsAtThePassing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hook, l := newHook(t)
		_, stop := hook.Obey(t.Context())
		defer stop()
		l.order(`{"do":"arm","point":"store.committed","passing":2}`)
		synctest.Wait()
		hook.Point("store.begin")
		hook.Point("store.committed")
		passed := make(chan struct{})
		go func() { hook.Point("store.committed"); close(passed) }()
		l.heard("reached store.committed")
		synctest.Wait()
		select {
		case <-passed:
			t.Error("it was not held")
		default:
		}
		l.order(`{"do":"disarm"}`) // too late: it was reached, which has been said
		l.order(`{"do":"go"}`)
		<-passed
		l.orders.Close()
		synctest.Wait()
	})
}

func TestHookIsDisarmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hook, l := newHook(t)
		obeying, stop := hook.Obey(t.Context())
		defer stop()
		l.order(`{"do":"arm","point":"store.begin","passing":1}`)
		l.order(`{"do":"disarm"}`)
		l.heard("disarmed ")
		hook.Point("store.begin")
		l.order("no JSON")
		l.orders.Close()
		<-obeying.Done() // torture is gone: the agent ends
	})
}

// Torture that dies must not leave an agent behind that waits for it.
func TestHookLetsGoWhenTortureIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hook, l := newHook(t)
		_, stop := hook.Obey(t.Context())
		defer stop()
		l.order(`{"do":"arm","point":"store.begin","passing":1}`)
		synctest.Wait()
		passed := make(chan struct{})
		go func() { hook.Point("store.begin"); close(passed) }()
		l.heard("reached store.begin")
		l.orders.Close()
		<-passed
	})
}

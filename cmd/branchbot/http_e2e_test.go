//go:build linux

package main_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

const byInterface = "testdata/packs/open-http"

func openByInterface(t *testing.T, w *world.World, number string) (wire.Run, int) {
	t.Helper()
	out, err := w.Branchbot(t.Context(), "", "run", byInterface, "--json", "--as", "tester", "--input", "name=王小明", "--input", "number="+number)
	return runOf(t, out, err)
}

// Without a browser the promise is the same: stored once, whatever the site does
// after it has stored, and the look-up tells.
func TestHTTPSubmitIsOneRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}, Config: "browser: {path: /no/such/chromium}\n"})
	for i, c := range []struct {
		name  string
		fault bank.Fault
	}{
		{"answered", bank.Fault{}},
		{"stored, then cut", bank.Fault{Kind: bank.Cut, When: bank.After, Times: 1}},
		{"stored, then reset", bank.Fault{Kind: bank.Cut, When: bank.After, Times: 1, Reset: true}},
		{"stored, then 500", bank.Fault{Kind: bank.Error, When: bank.After, Times: 1}},
		{"cut before it was stored", bank.Fault{Kind: bank.Cut, When: bank.Before, Times: 1}},
	} {
		w.Site.SetFault(c.fault)
		view, code := openByInterface(t, w, "11010519900307"+string(rune('0'+i))+"07X")
		if code != 0 || view.State != wire.Succeeded || view.Submits[0].State != wire.SubmitAcknowledged {
			t.Fatalf("%s: exit %d, run %s, %+v", c.name, code, view.State, view.Exception)
		}
		records := w.Site.Records()
		if len(records) != i+1 || !strings.Contains(string(view.Output), records[i].No) {
			t.Errorf("%s: %d records at the site, want %d; output %s", c.name, len(records), i+1, view.Output)
		}
	}
}

// The agent dies while the site keeps the answer back; the next one looks it up.
func TestHTTPSubmitSettlesAfterAKill(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]bank.Fault{
		"stored":     {Kind: bank.Hang, When: bank.After, Times: 1},
		"not stored": {Kind: bank.Hang, When: bank.Before, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}})
			if err := w.StartAgent(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Site.SetFault(fault)
			out := branchbot(t, w, "trigger", byInterface, "--json", "--input", "name=王小明", "--input", "number="+number)
			view, _ := runOf(t, out, nil)
			waitFor(t, "the request has arrived", func() bool { return w.Site.Submissions() == 1 })
			w.Agent.Kill()
			w.Site.SetFault(bank.Fault{})
			if err := w.StartAgent(t.Context()); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the end", func() bool {
				view, _ = runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil)
				return view.State.Final() || view.State == wire.InDoubt
			})
			if records := w.Site.Records(); len(records) != 1 || view.State != wire.Succeeded || !strings.Contains(string(view.Output), records[0].No) {
				t.Errorf("%d records at the site, run %s %s, %+v", len(records), view.State, view.Output, view.Exception)
			}
		})
	}
}

// The line to the site is down when the agent is back: the run waits and looks
// again, and settles by itself once the line is up.
func TestLookUpWaitsForTheLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}, Listen: bank.Listen{Address: "127.0.0.1:0"}})
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Site.SetFault(bank.Fault{Kind: bank.Hang, When: bank.After, Times: 1})
	view, _ := runOf(t, branchbot(t, w, "trigger", byInterface, "--json", "--input", "name=王小明", "--input", "number="+number), nil)
	waitFor(t, "the account is stored", func() bool { return len(w.Site.Records()) == 1 })
	w.Agent.Kill()
	if err := w.Serving.Close(); err != nil {
		t.Fatal(err)
	}
	w.Site.SetFault(bank.Fault{})
	down := newDeadLine(t, strings.TrimPrefix(w.Serving.URL, "http://"))
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a second look", func() bool { return down.tried.Load() > 1 })
	down.Close()
	running, err := w.Site.Start(context.WithoutCancel(t.Context()), bank.Listen{Address: strings.TrimPrefix(w.Serving.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	w.Serving = running
	waitFor(t, "the end", func() bool {
		view, _ = runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil)
		return view.State.Final() || view.State == wire.InDoubt
	})
	if records := w.Site.Records(); len(records) != 1 || view.State != wire.Succeeded || !strings.Contains(string(view.Output), records[0].No) {
		t.Errorf("%d records at the site, run %s %s, %+v", len(records), view.State, view.Output, view.Exception)
	}
}

// deadLine is a line at whose other end nobody answers.
type deadLine struct {
	net.Listener
	tried atomic.Int64
}

func newDeadLine(t *testing.T, address string) *deadLine {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	d, over := &deadLine{Listener: listener}, make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			d.tried.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-over })
	return d
}

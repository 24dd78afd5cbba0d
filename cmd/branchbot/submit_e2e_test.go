//go:build linux

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

// The site stores the account and then cuts the warm connection without an
// answer. Chromium alone would send again; the site allows duplicates, so that
// each repeat would show.
func TestStoredThenCutIsOneRecord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		listen bank.Listen
		form   string
		reset  bool
	}{
		{"http1 fin", bank.Listen{TLS: true}, "element", false},
		{"http1 reset form post", bank.Listen{TLS: true}, "plain", true},
		{"http2 fin", bank.Listen{TLS: true, HTTP2: true}, "element", false},
		{"without tls", bank.Listen{Address: "127.0.0.1:0"}, "plain", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, world.Options{Listen: c.listen, Site: bank.Options{AllowDuplicates: true}})
			w.Site.SetFault(bank.Fault{Kind: bank.Cut, When: bank.After, Times: 1, Reset: c.reset})
			view, code := open(t, w, c.form, number)
			if got := len(w.Site.Records()); got != 1 {
				t.Fatalf("%d records at the site, want 1; run %s, exception %+v", got, view.State, view.Exception)
			}
			if view.State != wire.Succeeded || code != 0 {
				t.Fatalf("run %s, exit %d, exception %+v; the look-up would have found it", view.State, code, view.Exception)
			}
			if got := view.Submits[0].State; got != wire.SubmitAcknowledged {
				t.Errorf("submit is %s, want acknowledged by the look-up", got)
			}
			if want := w.Site.Records()[0].No; !strings.Contains(string(view.Output), want) {
				t.Errorf("output %s does not name account %s", view.Output, want)
			}
		})
	}
}

// The look-up would find the account of the first run; the key is that run's all
// the same, and the person is told which.
func TestTheSameKeyIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}})
	first, code := open(t, w, "plain", number)
	if code != 0 {
		t.Fatalf("first run: exit %d, %+v", code, first.Exception)
	}
	second, code := open(t, w, "plain", number)
	if code != 3 || second.Exception == nil || second.Exception.Code != "already_submitted" || !strings.Contains(second.Exception.Message, first.Run) {
		t.Errorf("second run: exit %d, %+v; want 3 and already_submitted by %s", code, second.Exception, first.Run)
	}
	if got := len(w.Site.Records()); got != 1 {
		t.Errorf("%d records at the site, want 1", got)
	}
}

// killedAfterStoring is a run whose agent dies while the site, which has stored
// the account, keeps its answer back. between happens while no agent runs.
func killedAfterStoring(t *testing.T, w *world.World, between func()) (state func() wire.RunState, id string) {
	t.Helper()
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Site.SetFault(bank.Fault{Kind: bank.Hang, When: bank.After, Times: 1})
	out := branchbot(t, w, "trigger", typed, "--json", "--input", "name=王小明", "--input", "number="+number)
	view, _ := runOf(t, out, nil)
	waitFor(t, "the site has stored it", func() bool { return len(w.Site.Records()) == 1 })
	w.Agent.Kill()
	w.Site.SetFault(bank.Fault{})
	between()
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() wire.RunState {
		now, _ := runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil)
		return now.State
	}, view.Run
}

// The next agent looks first, and finds what the run has sent.
func TestKilledWithAnOpenSubmitLooksFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}})
	state, _ := killedAfterStoring(t, w, func() {})
	waitFor(t, "the end", func() bool { return state().Final() || state() == wire.InDoubt })
	if got := len(w.Site.Records()); got != 1 || state() != wire.Succeeded {
		t.Errorf("%s with %d records at the site, want succeeded with 1", state(), got)
	}
}

// A person decides about what nobody can see: the look-up can no longer sign in.
func TestKilledWithAnOpenSubmitIsInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Site: bank.Options{AllowDuplicates: true}})
	state, run := killedAfterStoring(t, w, func() { branchbot(t, w, "secret", "delete", "core") })
	waitFor(t, "in doubt", func() bool { return state() == wire.InDoubt })
	if _, err := w.Branchbot(t.Context(), "", "answer", run, "--as", "tester", "--cancel"); exitCode(err) == 0 {
		t.Error("a run with an open submit was cancelled")
	}
	branchbot(t, w, "answer", run, "--as", "tester", "--submitted", w.Site.Records()[0].No)
	waitFor(t, "the end", func() bool { return state().Final() })
	if got := len(w.Site.Records()); got != 1 || state() != wire.Succeeded {
		t.Errorf("%s with %d records at the site, want succeeded with 1", state(), got)
	}
}

// The password reaches the page and nothing else that stays.
func TestSecretStaysOffTheDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if view, code := open(t, w, "plain", number); code != 0 {
		t.Fatalf("exit %d: %+v", code, view.Exception)
	}
	err := filepath.WalkDir(w.Device(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), bank.DefaultPassword) {
			t.Errorf("the password stands in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

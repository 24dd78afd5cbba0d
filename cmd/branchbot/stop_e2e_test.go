//go:build linux

package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/binaries"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

// slowForm makes the site take its time over the form, so that there is one to interrupt.
func slowForm(w *world.World) {
	w.Site.SetFault(bank.Fault{Kind: bank.Slow, DelayMS: 3000, Times: 1, Path: "/plain/accounts/new"})
}

func signedIn(w *world.World) func() bool {
	return func() bool { return w.Site.Summary().Posts["/login"] > 0 }
}

// Ctrl-C at a foreground run: exit 130, the run is recorded as cancelled, nothing was
// sent and nothing stays behind.
func TestInterruptedForegroundRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	slowForm(w)
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries.Build(t, "branchbot"), "branchbot"), "run", typed, "--json",
		"--config", w.Path("device.yaml"), "--input", "name=王小明", "--input", "number="+number, "--input", "form=plain")
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the browser to sign in", signedIn(w))
	below, err := procs.Tree(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	view, code := runOf(t, out.Bytes(), err)
	if code != 130 || view.State != wire.Cancelled || view.Exception == nil || view.Finished == nil {
		t.Errorf("exit %d, run %s %+v; want 130 and cancelled", code, view.State, view.Exception)
	}
	if !strings.Contains(problem.String(), `"code":"cancelled"`) {
		t.Errorf("stderr %s", problem.String())
	}
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(below) })
	if left, _ := os.ReadDir(w.Device() + "/scratch"); len(left) > 0 {
		t.Errorf("scratch still holds %v", left)
	}
	if got := len(w.Site.Records()); got != 0 {
		t.Errorf("%d records at the site, want 0", got)
	}
	if now, _ := runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil); now.State != wire.Cancelled {
		t.Errorf("recorded as %s", now.State)
	}
	if out, err := w.Branchbot(t.Context(), "", "run", "--resume", view.Run, "--json"); exitCode(err) != 130 {
		t.Errorf("resume of a cancelled run: %v, %s; want it shown with 130", err, out)
	}
}

// An administrator stops the agent during a run: exit 0 at once, and the run
// goes on at the next start.
func TestStoppedAgentGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	slowForm(w)
	view, _ := runOf(t, branchbot(t, w, "trigger", typed, "--json",
		"--input", "name=王小明", "--input", "number="+number, "--input", "form=plain"), nil)
	waitFor(t, "the browser to sign in", signedIn(w))
	if err := w.Agent.Stop(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if now, _ := runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil); now.State != wire.Queued {
		t.Errorf("the run is %s %+v, want queued", now.State, now.Exception)
	}
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the run's end", func() bool {
		now, _ := runOf(t, branchbot(t, w, "runs", view.Run, "--json"), nil)
		return now.State == wire.Succeeded
	})
	if got := len(w.Site.Records()); got != 1 {
		t.Errorf("%d records at the site, want 1", got)
	}
}

// As a service: no HOME, and little in the log. `listening` is said all the same.
func TestAgentAsAService(t *testing.T) {
	t.Parallel()
	bare := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "HOME=") || strings.HasPrefix(pair, "XDG_") || strings.HasPrefix(pair, "USER=")
	})
	w := newWorld(t, world.Options{Env: bare, Config: "log: {level: error}\n"})
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := w.Branchbot(t.Context(), "", "trigger", typed, "--wait", "--json",
		"--input", "name=王小明", "--input", "number="+number, "--input", "form=plain")
	if view, code := runOf(t, out, err); code != 0 {
		t.Errorf("exit %d, %+v", code, view.Exception)
	}
	var state outboxState
	if err := json.Unmarshal(branchbot(t, w, "outbox", "--json"), &state); err != nil || state.HeadOffice != "not enrolled" {
		t.Errorf("outbox %+v, %v; want not enrolled", state, err)
	}
}

// A token that needs approval by hand: the device asks again with the same key.
func TestApprovedByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.StartHeadOffice(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := w.Headoffice(t.Context(), "device", "token", "--approve-by-hand", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var token struct{ Token string }
	if err := json.Unmarshal(made, &token); err != nil {
		t.Fatal(err)
	}
	enrol := func() error {
		_, err := w.Branchbot(t.Context(), "", "enroll", "--head-office", w.HeadOfficeURL(), "--token", token.Token, "--json")
		return err
	}
	for range 2 {
		if err := enrol(); exitCode(err) != 4 || codeOf(t, err) != "approval_waiting" {
			t.Fatalf("before approval: %v, want exit 4 with approval_waiting", err)
		}
	}
	listed, err := w.Headoffice(t.Context(), "device", "list", "--json")
	if err != nil || len(bytes.Split(bytes.TrimSpace(listed), []byte("\n"))) != 1 {
		t.Fatalf("devices %s, %v; want one", listed, err)
	}
	id := string(listed[bytes.Index(listed, []byte("dev_")):])
	if _, err := w.Headoffice(t.Context(), "device", "approve", id[:strings.IndexByte(id, '"')]); err != nil {
		t.Fatal(err)
	}
	if err := enrol(); err != nil {
		t.Errorf("after approval: %v", err)
	}
	if err := enrol(); exitCode(err) != 5 || codeOf(t, err) != "already_enrolled" {
		t.Errorf("once more: %v, want already_enrolled", err)
	}
}

//go:build linux

package main_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/binaries"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

const (
	number = "110105199003070073"
	typed  = "testdata/packs/open-typed"
)

// newWorld is a bank on loopback with a device that is set up and not enrolled.
func newWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	o.Programs = binaries.Build(t, "branchbot", "branchbot-ocr", "headoffice")
	o.Dir = shortDir(t)
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Listen == (bank.Listen{}) {
		o.Listen = bank.Listen{TLS: true, HTTP2: true}
	}
	w := world.New(o)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close world: %v", err)
		}
		procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(o.Dir) })
	})
	if err := w.StartSite(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.SetUpDevice(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// branchbot runs a device command that must succeed.
func branchbot(t *testing.T, w *world.World, args ...string) []byte {
	t.Helper()
	out, err := w.Branchbot(t.Context(), "", args...)
	if err != nil {
		t.Fatalf("branchbot %v: %v", args, err)
	}
	return out
}

// runOf reads a run that a command printed, whatever its exit code, and tells that code.
func runOf(t *testing.T, out []byte, err error) (wire.Run, int) {
	t.Helper()
	var view wire.Run
	if problem := json.Unmarshal(out, &view); problem != nil {
		t.Fatalf("read run from %q: %v (%v)", out, problem, err)
	}
	return view, exitCode(err)
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// open runs the test pack in the foreground.
func open(t *testing.T, w *world.World, form, number string) (wire.Run, int) {
	t.Helper()
	out, err := w.Branchbot(t.Context(), "", "run", typed, "--json", "--as", "tester",
		"--input", "name=王小明", "--input", "number="+number, "--input", "form="+form)
	return runOf(t, out, err)
}

// shortDir is a temporary folder with a short name: Chromium puts a socket below
// it, and the path of a socket has 108 bytes at most.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}

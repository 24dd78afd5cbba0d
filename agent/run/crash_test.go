//go:build unix

package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"branchbot/agent/journal"
	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/internal/wire"
)

// The agent that is killed is this test binary, started again with these.
const (
	crashDir   = "BRANCHBOT_TEST_CRASH_DIR"
	crashPoint = "BRANCHBOT_TEST_CRASH_POINT" // "name:n" is killed there, the nth time
)

// crashingAgent runs one run and is killed on the way.
func crashingAgent(dir, point string) error {
	name, times, _ := strings.Cut(point, ":")
	left, _ := strconv.Atoi(times)
	d, err := assemble(setting{dir: dir, script: sendAll, point: func(reached string) {
		if reached == name {
			if left--; left == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}})
	if err != nil {
		return err
	}
	q, err := request()
	if err != nil {
		return err
	}
	view, err := d.Create(context.Background(), q)
	if err != nil {
		return err
	}
	_, err = d.Execute(context.Background(), view.Run, run.Manner{})
	fmt.Println("survived")
	return err
}

// Wherever the agent is killed: END, view and outbox row are there together or
// not at all, and the next agent brings the run to its end, told once, without
// sending twice.
func TestAgentKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"store.begin", "store.before_commit", "store.committed"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				dir := t.TempDir()
				if !killAt(t, dir, fmt.Sprintf("%s:%d", point, n)) {
					if n < 5 {
						t.Fatalf("only %d transactions", n-1)
					}
					return
				}
				d := open(t, setting{dir: dir, script: "settle:acknowledged result finish:succeeded"})
				d.together()
				if err := d.Recover(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.finishAll()
				d.together()
				d.close()
			}
		})
	}
}

// killAt reports whether the agent was killed at the point before it was done.
func killAt(t *testing.T, dir, point string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashPoint+"="+point)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if strings.Contains(out.String(), "survived") {
		return false
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("at %s: %v: %s", point, err, out.String())
	}
	return true
}

func (d *device) all() []wire.Run {
	d.t.Helper()
	runs, err := d.List(100)
	if err != nil {
		d.t.Fatal(err)
	}
	return runs
}

// together checks what one transaction writes.
func (d *device) together() {
	d.t.Helper()
	for _, view := range d.all() {
		kinds, told := d.kinds(view.Run), d.told(view.Run)
		final := slices.DeleteFunc(slices.Clone(told), func(s wire.RunState) bool { return !s.Final() })
		if ended := slices.Contains(kinds, wire.RecordEnd); ended != view.State.Final() || ended != (len(final) == 1) || len(final) > 1 {
			d.t.Errorf("journal %v, view %s, head office is told %v", kinds, view.State, told)
		}
		sent := 0
		for _, kind := range kinds {
			if kind == wire.RecordPrepared {
				sent++
			}
		}
		if sent > 1 {
			d.t.Errorf("sent twice: %v", kinds)
		}
	}
	err := d.store.View(func(tx *store.Tx) error {
		_, err := journal.Unfinished(tx)
		return err
	})
	if err != nil {
		d.t.Error(err)
	}
}

// finishAll waits for every run: each one is taken up, and looks first.
func (d *device) finishAll() {
	d.t.Helper()
	for _, view := range d.all() {
		if now := d.await(view.Run); now.State != wire.Succeeded {
			d.t.Errorf("journal %v: %s %+v", d.kinds(view.Run), now.State, now.Exception)
		}
	}
}

//go:build linux

package run_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"branchbot/agent/run"
	"branchbot/internal/wire"
)

// outliveDir marks an agent whose runner is started by a shell, so that the signal
// of the agent's death reaches the shell only.
const outliveDir = "BRANCHBOT_TEST_OUTLIVE"

func outlived() error {
	d, err := assemble(setting{
		dir: os.Getenv(outliveDir), script: "intent:a prepared outlive", env: []string{markFile + "=" + os.Getenv(markFile)},
		runner: []string{"/bin/sh", "-c", `exec 4<&0; "` + os.Args[0] + `" <&4 4<&- & wait`},
	})
	if err != nil {
		return err
	}
	q, err := request()
	if err != nil {
		return err
	}
	view, err := d.Create(context.Background(), q)
	if err == nil {
		_, err = d.Execute(context.Background(), view.Run, run.Manner{})
	}
	return err
}

// A runner that outlives its killed agent can neither journal nor send, and is
// dead before its run is taken up.
func TestRunnerThatOutlivesItsAgent(t *testing.T) {
	t.Parallel()
	dir, marks := t.TempDir(), filepath.Join(t.TempDir(), "marks")
	agent := exec.CommandContext(t.Context(), os.Args[0])
	agent.Env = append(os.Environ(), outliveDir+"="+dir, markFile+"="+marks, quick)
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := awaitMark(t, marks, "prepared ")
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	awaitMark(t, marks, "orphan ")
	if !alive(pid) {
		t.Fatal("the runner is dead: this proves nothing")
	}
	d := open(t, setting{dir: dir, script: "settle:acknowledged result finish:succeeded", env: []string{markFile + "=" + marks}})
	if err := d.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	view := d.await(d.all()[0].Run)
	if alive(pid) {
		t.Error("two runners worked on one run")
	}
	want := []wire.RecordKind{
		wire.RecordStart, wire.RecordIntent, wire.RecordPrepared, wire.RecordSignal,
		wire.RecordReconciled, wire.RecordResult, wire.RecordEnd,
	}
	if kinds := d.kinds(view.Run); view.State != wire.Succeeded || fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("%s with journal %v, want %v", view.State, kinds, want)
	}
}

// awaitMark waits for a line that begins so, and gives the number behind it.
func awaitMark(t *testing.T, file, prefix string) int {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(file) // not there yet
		for line := range strings.Lines(string(text)) {
			if pid, found := strings.CutPrefix(strings.TrimSpace(line), prefix); found {
				n, _ := strconv.Atoi(pid)
				return n
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("no %q in %s", prefix, text)
		}
	}
}

// alive: the process is there and no corpse.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

package processes_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"branchbot/internal/processes"
	"branchbot/internal/testkit/procs"
)

// family starts a shell with a child in a group of its own and waits until both are there.
func family(t *testing.T, marker string) *exec.Cmd {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", "sleep 1000 & echo ready; wait")
	shell.Env = append(os.Environ(), "BRANCHBOT_TEST="+marker)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // gone already: fine
		_ = shell.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	return shell
}

func TestFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	marker := "procs-" + strings.ReplaceAll(t.TempDir(), "/", "_")
	shell := family(t, marker)
	tree, err := processes.Tree(shell.Process.Pid)
	if err != nil || len(tree) != 2 {
		t.Fatalf("tree is %v (%v), want the shell and its child", tree, err)
	}
	// The parent is killed, its child is not: nobody but us knows of it any more.
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // "signal: killed" is what we asked for
	child := slices.IndexFunc(tree, func(p processes.Process) bool { return p.PID != shell.Process.Pid })
	for name, list := range map[string]func() ([]processes.Process, error){
		"alive":      func() ([]processes.Process, error) { return processes.Alive(tree) },
		"group":      func() ([]processes.Process, error) { return processes.Group(shell.Process.Pid) },
		"mentioning": func() ([]processes.Process, error) { return processes.Mentioning(marker) },
	} {
		left, err := list()
		if err != nil || len(left) != 1 || left[0].PID != tree[child].PID {
			t.Errorf("%s finds %v (%v), want process %d", name, left, err, tree[child].PID)
		}
	}
	if err := syscall.Kill(tree[child].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	procs.WaitGone(t, func() ([]processes.Process, error) { return processes.Alive(tree) })
	procs.WaitGone(t, func() ([]processes.Process, error) { return processes.Mentioning(marker) })
}

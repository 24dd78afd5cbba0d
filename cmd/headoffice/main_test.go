package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"headoffice": main, "crashing-office": crashingOffice, "branch": branch})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HEADOFFICE_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("HEADOFFICE_LISTEN", "127.0.0.1:0")
			return nil
		},
	})
}

// process is the real program.
type process struct {
	cmd  *exec.Cmd
	base string
}

// serve starts the program and waits until it has said where it listens.
func serve(t *testing.T, data string) *process {
	t.Helper()
	return startProcess(t, exec.Command("headoffice", "serve", "--data", data, "--listen", "127.0.0.1:0", "--json"))
}

func startProcess(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		cmd.Stderr = io.Discard
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("read address: %v", err)
	}
	var said struct{ Address string }
	if err := json.Unmarshal(line, &said); err != nil || said.Address == "" {
		t.Fatalf("said %q: %v", line, err)
	}
	p.base = said.Address
	return p
}

// kill ends it at once, wherever it is. It may be called twice.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // gone already is fine
	_ = p.cmd.Wait()
}

func TestFirstSignalEndsCleanly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v, want exit code 0", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("does not end")
	}
}

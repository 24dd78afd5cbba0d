//go:build linux

package runner

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// actAs names, in the environment of this test binary, the runner it plays.
const actAs = "BRANCHBOT_TEST_RUNNER"

func TestMain(m *testing.M) {
	if name := os.Getenv(actAs); name != "" {
		act(name)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act plays a runner that is not as it should be.
func act(name string) {
	p := newPipe(os.Stdin, os.Stdout, maxFrame)
	if _, err := p.read(); err != nil {
		panic(err)
	}
	done := host.Finish{State: wire.Succeeded, Output: json.RawMessage(`{"by":"` + name + `"}`)}
	say := func(kind string, id uint64, method string, body any) { _ = p.write(kind, id, method, body, nil) }
	switch name {
	case "good":
		say(kindCall, 1, methodSecret, "core")
		reply, _ := p.read()
		done.Output = reply.Body
	case "cancelled":
		m, _ := p.read()
		done = host.Finish{State: wire.Cancelled, Exception: host.Exception(m.Error.Err())}
	case "garbage":
		_, _ = os.Stdout.WriteString("hello, this is no frame\n")
		hang()
	case "huge frame":
		_, _ = os.Stdout.Write(binary.BigEndian.AppendUint32(nil, 1<<31))
		hang()
	case "wrong finish":
		say(kindFinish, 0, "", []int{1})
		hang()
	case "unknown method":
		say(kindCall, 1, "open_safe", nil)
		reply, _ := p.read()
		done.Output, _ = json.Marshal(reply.Error.Code)
	case "hangs":
		hang()
	case "hangs after finish":
		say(kindFinish, 0, "", done)
		hang()
	case "never reads":
		for id := uint64(1); ; id++ {
			say(kindCall, id, methodSecret, "core")
		}
	case "dies":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "panics":
		var nothing *host.Finish
		fmt.Println(nothing.State)
	case "leaves a child":
		child := exec.Command("sleep", "60")
		child.Stdout, child.SysProcAttr = os.Stdout, &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
		_ = child.Start()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "eats":
		eat()
	}
	say(kindFinish, 0, "", done)
}

func hang() { _, _ = io.Copy(io.Discard, neverEnds{}) }

type neverEnds struct{}

func (neverEnds) Read(b []byte) (int, error) { time.Sleep(time.Millisecond); return len(b), nil }

func eat() {
	kept := map[int][]byte{}
	for i := 0; ; i++ {
		kept[i] = bytes.Repeat([]byte("x"), 1<<20)
	}
}

// device is a host that answers at once.
type device struct {
	mu       sync.Mutex
	secrets  int
	observed int
}

func (d *device) Append(_ context.Context, r wire.JournalRecord) (wire.JournalRecord, error) {
	return r, nil
}

func (d *device) Secret(_ context.Context, name string) (host.Secret, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets++
	return host.Secret{Name: name, Values: map[string]string{"value": strings.Repeat("s", 4096)}}, nil
}

func (d *device) ReadDocument(context.Context, ocr.Request) (ocr.Document, error) {
	return ocr.Document{}, nil
}

func (d *device) PutEvidence(context.Context, host.Evidence) (wire.EvidenceRef, error) {
	return wire.EvidenceRef{}, nil
}

func (d *device) Observe(host.Event) { d.observed++ }

func supervise(ctx context.Context, t *testing.T, name string, change func(*Options, *host.Start)) (host.Finish, error) {
	t.Helper()
	o := Options{Command: []string{os.Args[0]}, Env: append(os.Environ(), actAs+"="+name, "GORACE=atexit_sleep_ms=0"), Memory: 1 << 30, Grace: 300 * time.Millisecond}
	start := &host.Start{Run: "run_test", Deadline: time.Now().Add(time.Minute)}
	if change != nil {
		change(&o, start)
	}
	return Supervise(ctx, o, start, &device{})
}

func TestHostileRunners(t *testing.T) {
	t.Parallel()
	short := func(_ *Options, s *host.Start) { s.Deadline = time.Now().Add(200 * time.Millisecond) }
	for _, c := range []struct {
		runner string
		change func(*Options, *host.Start)
		output string // of a run that succeeded, or
		code   string
	}{
		{runner: "good", output: `"name":"core"`},
		{runner: "hangs after finish", output: `"by":"hangs after finish"`},
		{runner: "unknown method", output: codeDamaged},
		{runner: "garbage", code: codeDamaged},
		{runner: "huge frame", code: codeDamaged},
		{runner: "wrong finish", code: codeDamaged},
		{runner: "dies", code: CodeDied},
		{runner: "panics", code: CodeDied}, // its words speak of memory: it is no lack of it
		{runner: "leaves a child", code: CodeDied},
		{runner: "hangs", change: short, code: "run_deadline"},
		{runner: "never reads", change: short, code: "run_deadline"},
		{runner: "eats", change: func(o *Options, _ *host.Start) { o.RSS = 64 << 20 }, code: "run_memory"},
	} {
		t.Run(c.runner, func(t *testing.T) {
			t.Parallel()
			finish, err := supervise(t.Context(), t, c.runner, c.change)
			if fault.Code(err) != c.code || !strings.Contains(string(finish.Output), c.output) {
				t.Errorf("finish %s %s, error %v (%s); want output %s, code %q", finish.State, finish.Output, err, fault.Code(err), c.output, c.code)
			}
		})
	}
}

func TestCancelReachesTheRunner(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault.New(fault.Interrupted, "cancelled", "cancelled by a test"))
	patient := func(o *Options, _ *host.Start) { o.Grace = time.Minute } // a busy machine starts a process late
	finish, err := supervise(ctx, t, "cancelled", patient)
	if err != nil || finish.State != wire.Cancelled || finish.Exception.Code != "cancelled" {
		t.Errorf("finish %+v, error %v; want the runner's own report", finish, err)
	}
	for _, deaf := range []string{"hangs", "never reads"} {
		if _, err := supervise(ctx, t, deaf, nil); !fault.HasCode(err, "run_deadline") {
			t.Errorf("a runner that %s and is cancelled: %v, want run_deadline", deaf, err)
		}
	}
}

func TestRunnerThatCannotStart(t *testing.T) {
	t.Parallel()
	_, err := supervise(t.Context(), t, "good", func(o *Options, _ *host.Start) { o.Command = []string{"/no/such/program"} })
	if !fault.HasCode(err, "runner_start") {
		t.Errorf("error %v, want runner_start", err)
	}
}

// When the agent is gone every call of the child fails, and it ends.
func TestChildWithoutAnAgent(t *testing.T) {
	t.Parallel()
	in, agent := io.Pipe()
	p := newPipe(in, io.Discard, maxFrame)
	c := newClient(p)
	ctx, cancel := context.WithCancelCause(t.Context())
	listening := make(chan struct{})
	go func() { defer close(listening); listen(p, c, cancel) }()
	if err := agent.Close(); err != nil {
		t.Fatal(err)
	}
	<-listening
	if !fault.HasCode(context.Cause(ctx), "agent_gone") {
		t.Errorf("the run's cause is %v, want agent_gone", context.Cause(ctx))
	}
	if _, err := c.Secret(t.Context(), "core"); !fault.HasCode(err, "agent_gone") {
		t.Errorf("a later call: %v, want agent_gone", err)
	}
}

func TestChildRefusesAWrongStart(t *testing.T) {
	t.Parallel()
	var in, out bytes.Buffer
	if err := newPipe(nil, &in, maxFrame).write(kindCancel, 0, "", nil, errors.New("no start")); err != nil {
		t.Fatal(err)
	}
	if err := Child(t.Context(), &in, &out, nil, slog.New(slog.DiscardHandler)); !fault.HasCode(err, codeDamaged) {
		t.Errorf("error %v, want %s", err, codeDamaged)
	}
	in.Reset()
	if err := newPipe(nil, &in, maxFrame).write(kindStart, 0, "", host.Start{Pack: []byte("no pack")}, nil); err != nil {
		t.Fatal(err)
	}
	if err := Child(t.Context(), &in, &out, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	m, err := newPipe(&out, nil, maxCall).read()
	if err != nil || m.Kind != kindFinish || !bytes.Contains(m.Body, []byte(`"failed"`)) {
		t.Errorf("a pack that is none: %+v, %v; want a failed finish", m, err)
	}
}

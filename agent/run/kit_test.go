//go:build unix

package run_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/packs"
	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// This test binary, started again, is the runner: a script in its environment
// says, word by word, what it does.
const (
	playRunner = "BRANCHBOT_TEST_RUNNER" // the script
	markFile   = "BRANCHBOT_TEST_MARK"   // each runner writes its run's id there
	gateFile   = "BRANCHBOT_TEST_GATE"   // "gate" waits until this file is there
	quick      = "GORACE=atexit_sleep_ms=0"
	realMark   = "BRANCHBOT_TEST_REAL" // the runner is a real one, with a site that is a file
)

func TestMain(m *testing.M) {
	if script, ok := os.LookupEnv(playRunner); ok {
		play(script)
		os.Exit(0)
	}
	if dir := os.Getenv(surviveDir); dir != "" && os.Getenv(realMark) == "" {
		fmt.Fprintln(os.Stderr, survivor())
		os.Exit(1)
	}
	if os.Getenv(outliveDir) != "" {
		fmt.Fprintln(os.Stderr, outlived())
		os.Exit(1)
	}
	if os.Getenv(realMark) != "" {
		realRunner()
		os.Exit(0)
	}
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, crashingAgent(dir, os.Getenv(crashPoint)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

type frame struct {
	Kind   string          `json:"kind"`
	ID     uint64          `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Error  *fault.Wire     `json:"error,omitempty"`
}

// actor is the runner's side of the pipe, by hand.
type actor struct {
	in      *bufio.Reader
	start   host.Start
	id      uint64
	replies []string // what became of each call: "ok" or a code
}

func play(script string) {
	a := &actor{in: bufio.NewReader(os.Stdin)}
	if err := json.Unmarshal(a.read().Body, &a.start); err != nil {
		panic(err)
	}
	if file := os.Getenv(markFile); file != "" {
		mark(file, a.start.Run)
	}
	for word := range strings.FieldsSeq(script) {
		name, rest, _ := strings.Cut(word, ":")
		a.do(name, rest)
	}
}

func mark(file, line string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		panic(err)
	}
}

func (a *actor) read() frame {
	var size [4]byte
	if _, err := io.ReadFull(a.in, size[:]); err != nil {
		os.Exit(0) // the agent hung up
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(a.in, body); err != nil {
		os.Exit(0)
	}
	var f frame
	if err := json.Unmarshal(body, &f); err != nil {
		panic(err)
	}
	return f
}

func (a *actor) write(f frame, body any) {
	f.Body, _ = json.Marshal(body)
	line, _ := json.Marshal(f)
	_, _ = os.Stdout.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(line))), line...))
}

func (a *actor) call(method string, body any) {
	a.id++
	a.write(frame{Kind: "call", ID: a.id, Method: method}, body)
	for {
		f := a.read()
		if f.Kind != "reply" {
			continue
		}
		told := "ok"
		if f.Error != nil {
			told = f.Error.Code
		}
		a.replies = append(a.replies, told)
		return
	}
}

func (a *actor) append(kind wire.RecordKind, call string, data any) {
	raw, _ := json.Marshal(data)
	a.call("append", wire.JournalRecord{
		Run: "run_of_somebody_else", Kind: kind, Data: raw, By: wire.By{Person: "somebody else"},
		Key: wire.JournalKey{Step: "open account", Attempt: 1, Call: call},
	})
}

func (a *actor) do(name, rest string) {
	switch name {
	case "result":
		a.append(wire.RecordResult, "step", wire.ResultData{Value: json.RawMessage(`{}`)})
	case "intent":
		a.append(wire.RecordIntent, "submit", wire.IntentData{Submit: "open", Key: rest, Guard: "payload", Fields: 3})
	case "prepared":
		a.append(wire.RecordPrepared, "submit", wire.PreparedData{Method: "POST"})
	case "outcome":
		a.append(wire.RecordOutcome, "submit", wire.OutcomeData{State: rest, Receipt: map[string]string{"no": "1"}})
	case "reconciled":
		a.append(wire.RecordReconciled, "submit", wire.ReconciledData{State: wire.SubmitAcknowledged, By: rest})
	case "settle": // what an earlier runner may have sent; "unsure" cannot see it
		a.settle(rest)
	case "write": // a kind that is not the runner's
		a.append(wire.RecordKind(rest), "", nil)
	case "large":
		a.append(wire.RecordResult, "step", strings.Repeat("x", 9<<20))
	case "secret":
		a.call("secret", rest)
	case "read":
		a.call("read_document", map[string]any{"files": []string{rest}, "kind": "auto"})
	case "evidence":
		a.call("put_evidence", host.Evidence{Kind: "before_submit", MediaType: rest, Bytes: []byte("picture")})
	case "big": // a large result
		a.replies = append(a.replies, strings.Repeat("x", 900<<10))
	case "restored": // a runner that was not told to look first ends as the engine does
		if !a.start.LookFirst {
			f := host.Finish{State: wire.Cancelled, Exception: &wire.Exception{Code: a.replies[0]}}
			a.write(frame{Kind: "finish"}, f)
			os.Exit(0)
		}
	case "begin":
		a.write(frame{Kind: "event"}, host.Event{Kind: "step", Name: rest, State: "running"})
	case "wait": // for the cancel
		for a.read().Kind != "cancel" {
		}
	case "gate":
		for _, err := os.Stat(os.Getenv(gateFile)); err != nil; _, err = os.Stat(os.Getenv(gateFile)) {
			time.Sleep(2 * time.Millisecond)
		}
	case "outlive": // the agent: it goes on writing, and stays
		mark(os.Getenv(markFile), fmt.Sprint("prepared ", os.Getpid()))
		signal.Ignore(syscall.SIGPIPE)
		_, _ = io.Copy(io.Discard, a.in) // until the agent is gone
		a.write(frame{Kind: "call", ID: 99, Method: "append"}, wire.JournalRecord{Kind: wire.RecordResult, Key: wire.JournalKey{Step: "late", Call: "step"}})
		mark(os.Getenv(markFile), fmt.Sprint("orphan ", os.Getpid()))
		select {}
	case "late": // the same record twice, and one more behind the last word
		a.do("result", "")
		a.do("result", "")
		a.do("finish", string(wire.Succeeded))
		a.do("result", "")
	case "die":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "die-first": // unless the run was taken up before
		if len(a.start.Journal) == 1 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	case "finish":
		f := host.Finish{State: wire.RunState(rest)}
		f.Output, _ = json.Marshal(map[string]any{"replies": a.replies})
		if f.State != wire.Succeeded {
			f.Exception = &wire.Exception{Kind: "application", Code: "scripted", Message: "as the script says"}
		}
		a.write(frame{Kind: "finish"}, f)
	default:
		panic("no such word: " + name)
	}
}

func (a *actor) settle(state string) {
	if _, open := journal.OpenSubmit(a.start.Journal); !open {
		return
	}
	if state == "unsure" {
		a.do("finish", string(wire.InDoubt))
		os.Exit(0)
	}
	a.append(wire.RecordReconciled, "submit", wire.ReconciledData{State: state, By: "probe"})
	if a.start.SettleOnly {
		a.do("finish", string(wire.Cancelled))
		os.Exit(0)
	}
}

// device is a data folder with a manager on it.
type device struct {
	*run.Manager
	t        testing.TB
	dir      string
	store    *store.Store
	reported int
}

type setting struct {
	dir     string
	script  string
	env     []string
	point   func(string)
	maxSize int64
	change  func(*configs.Device)
	runner  []string // nil: this test binary
	real    bool     // a runner with the real engine
	now     func() time.Time
}

func open(t testing.TB, s setting) *device {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	d, err := assemble(s)
	for fault.HasCode(err, "data_in_use") && t.Context().Err() == nil { // a child that is just being started has our files
		d, err = assemble(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.t = t
	t.Cleanup(func() { d.close() })
	return d
}

func assemble(s setting) (*device, error) {
	d := &device{dir: s.dir}
	if s.now == nil {
		s.now = time.Now
	}
	if s.runner == nil {
		s.runner = []string{os.Args[0]}
	}
	env := append(append(os.Environ(), playRunner+"="+s.script, quick), s.env...)
	if s.real {
		env = append(os.Environ(), realMark+"=1", quick)
	}
	var err error
	if d.store, err = store.Open(context.Background(), store.Options{Dir: s.dir, Point: s.point, Now: s.now, MaxSize: s.maxSize}); err != nil {
		return nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	keeper, err := evidence.Open(evidence.Options{Dir: s.dir, Store: d.store, Logger: logger})
	if err != nil {
		return nil, err
	}
	config := configs.DefaultDevice()
	config.Data = s.dir
	if s.change != nil {
		s.change(&config)
	}
	d.Manager = run.New(run.Options{
		Config: config, Store: d.store, Evidence: keeper, Packs: packs.New(s.dir, nil), Now: s.now, Logger: logger,
		Runner: s.runner, Env: env,
		Reported: func() { d.reported++ }, Rest: time.Millisecond,
	})
	return d, nil
}

// close is the end of the agent; it may be called twice.
func (d *device) close() { _ = d.Manager.Close(); _ = d.store.Close() }

// again is the next start of the agent on the same folder.
func (d *device) again(script string) *device {
	d.t.Helper()
	d.close()
	next := open(d.t, setting{dir: d.dir, script: script})
	if err := next.Recover(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return next
}

var person = wire.By{Person: "li.na", Kind: wire.ByUnverified}

func request() (run.Request, error) {
	p, err := pack.FromFS(fstest.MapFS{
		"pack.yaml": {Data: []byte("name: opening\nversion: 1.0.0\ntitle: {en: Opening}\nowner: tests\ncapabilities: {documents: [mrz]}\n")},
		"main.star": {Data: []byte("def run(input):\n    return {}\n")},
	})
	if err != nil {
		return run.Request{}, err
	}
	archive, err := p.Zip()
	return run.Request{Pack: archive, Trigger: run.TriggerManual, By: person}, err
}

func (d *device) create() wire.Run {
	d.t.Helper()
	q, err := request()
	if err != nil {
		d.t.Fatal(err)
	}
	view, err := d.Create(d.t.Context(), q)
	if err != nil {
		d.t.Fatal(err)
	}
	return view
}

// execute creates a run and runs it to where it stops.
func (d *device) execute() wire.Run {
	d.t.Helper()
	view, err := d.Execute(d.t.Context(), d.create().Run, run.Manner{})
	if err != nil {
		d.t.Fatal(err)
	}
	return view
}

func (d *device) await(id string) wire.Run {
	d.t.Helper()
	view, err := d.Await(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return view
}

// kinds are the records of a run's journal.
func (d *device) kinds(id string) (kinds []wire.RecordKind) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		records, err := journal.Read(tx, id)
		for _, r := range records {
			kinds = append(kinds, r.Kind)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return kinds
}

// told are the states of the run that wait for head office.
func (d *device) told(id string) (states []wire.RunState) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		lines, _, err := outbox.Next(tx, 1000, 1<<30)
		for _, line := range lines {
			var record wire.Record
			var view wire.Run
			if json.Unmarshal(line, &record) != nil || json.Unmarshal(record.Body, &view) != nil {
				return fmt.Errorf("record %s", line)
			}
			if record.Subject == id {
				states = append(states, view.State)
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return states
}

// write appends a record, as a runner that then dies leaves it.
func (d *device) write(r wire.JournalRecord) error {
	return d.store.Update(d.t.Context(), func(tx *store.Tx) error { _, err := journal.Append(tx, r); return err })
}

// restore does what follows from a new epoch.
func (d *device) restore() {
	d.t.Helper()
	err := d.store.Update(d.t.Context(), func(tx *store.Tx) error {
		if err := journal.Restore(tx); err != nil {
			return err
		}
		return journal.BeginLookFirst(tx, time.Now())
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// mustRun marks a run as running, as an agent that then dies leaves it.
func (d *device) mustRun(id string) {
	d.t.Helper()
	err := d.store.Update(d.t.Context(), func(tx *store.Tx) error {
		view, err := journal.GetRun(tx, id)
		if err != nil {
			return err
		}
		view.State = wire.Running
		return journal.PutRun(tx, view)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

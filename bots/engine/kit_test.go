package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/fstest"

	"go.starlark.net/starlark"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/modules/core"
	"branchbot/bots/modules/ocr"
	"branchbot/bots/modules/review"
	"branchbot/bots/modules/verify"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const manifest = `
name: test
version: 1.0.0
title: Test
inputs: {word: {type: text, optional: true}}
capabilities: {documents: [text, cn_id_card]}
retry: {attempts: 1, backoff: 1ms}
`

// newPack makes a pack of one script, and further files as name, content.
func newPack(t testing.TB, script string, more ...string) *pack.Pack {
	t.Helper()
	files := fstest.MapFS{pack.ManifestFile: {Data: []byte(manifest)}, pack.MainFile: {Data: []byte(script)}}
	for i := 0; i+1 < len(more); i += 2 {
		files[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	p, err := pack.FromFS(files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// repack makes a pack of changed files.
func repack(files map[string][]byte) (*pack.Pack, error) {
	folder := fstest.MapFS{}
	for name, content := range files {
		folder[name] = &fstest.MapFile{Data: content}
	}
	return pack.FromFS(folder)
}

// world is what test scripts act on, beyond any run: it outlives crashes.
type world struct {
	did     []string // what was done, in order
	fail    map[string][]error
	values  int
	settle  func(modules.Scope) (map[string]string, bool, error)
	settled int
}

// factory gives scripts act(name): does something unrecorded; outside(name): a
// recorded value, new each time; submit(name, [records]): journals a submit.
func (w *world) factory() modules.Factory {
	return modules.Factory{Name: "world", New: func(r modules.Runtime) modules.Module { return &worldModule{w, r} }}
}

type worldModule struct {
	*world
	rt modules.Runtime
}

func (m *worldModule) Close() error { return nil }

func (m *worldModule) Settle(_ *starlark.Thread, scope modules.Scope) (map[string]string, bool, error) {
	m.settled++
	return m.settle(scope)
}

func (m *worldModule) Names() starlark.StringDict {
	return starlark.StringDict{
		"act":     starlark.NewBuiltin("act", m.act),
		"outside": starlark.NewBuiltin("outside", m.outside),
		"submit":  starlark.NewBuiltin("submit", m.submit),
		"callee":  starlark.NewBuiltin("callee", m.call),
		"boom": starlark.NewBuiltin("boom", func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
			panic("boom")
		}),
	}
}

func (m *worldModule) act(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	name := string(args[0].(starlark.String))
	m.did = append(m.did, m.rt.Scope(t).Path()+":"+name)
	if errs := m.fail[name]; len(errs) > 0 {
		m.fail[name] = errs[1:]
		if errs[0] != nil {
			return nil, errs[0]
		}
	}
	return starlark.None, nil
}

func (m *worldModule) outside(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return m.rt.Recorded(t, "outside", args[0], func(context.Context) (any, error) {
		m.values++
		return fmt.Sprintf("value %d", m.values), nil
	})
}

func (m *worldModule) call(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return m.rt.Call(t, args[0].(starlark.Callable))
}

// submit("ok" | "reject" | "unknown" | "mismatch") goes the way of a real one.
func (m *worldModule) submit(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	scope, ctx := m.rt.Scope(t), m.rt.Context()
	if err := scope.ClaimSubmit(); err != nil {
		return nil, err
	}
	key := "k"
	if len(args) > 1 {
		key = string(args[1].(starlark.String))
	}
	if err := scope.Record(ctx, wire.RecordIntent, wire.IntentData{Submit: "open", Key: key}); err != nil {
		return nil, err
	}
	how := string(args[0].(starlark.String))
	if how == "mismatch" {
		if err := scope.Record(ctx, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitRefused}); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Application, "submit_mismatch", "the form shows something else")
	}
	if err := scope.Record(ctx, wire.RecordPrepared, wire.PreparedData{}); err != nil {
		return nil, err
	}
	m.did = append(m.did, "sent")
	switch how {
	case "unknown":
		if err := scope.Record(ctx, wire.RecordUnknown, wire.UnknownData{Reason: "cut"}); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Application, "no_reply", "the connection was cut")
	case "reject":
		if err := scope.Record(ctx, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitRejected, Message: "already a customer"}); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Business, "rejected", "the site rejected it: already a customer")
	}
	receipt := map[string]string{"account_no": "62170001"}
	if err := scope.Record(ctx, wire.RecordOutcome, wire.OutcomeData{State: wire.SubmitAcknowledged, Receipt: receipt}); err != nil {
		return nil, err
	}
	scope.Submitted(receipt)
	return starlark.None, nil
}

// watcher tells when the script has logged its first line.
type watcher struct {
	*hosttest.Host
	began chan struct{}
	once  sync.Once
}

func (w *watcher) Observe(event host.Event) {
	w.Host.Observe(event)
	if event.Kind == "log" {
		w.once.Do(func() { close(w.began) })
	}
}

// start runs a pack in a world over a host.
func start(ctx context.Context, p *pack.Pack, w *world, h *hosttest.Host) host.Finish {
	return startOn(ctx, p, w, h, h.Journal())
}

func startOn(ctx context.Context, p *pack.Pack, w *world, h host.Host, journal []wire.JournalRecord) host.Finish {
	c := config(p, w, h)
	c.Start.Journal = journal
	return engine.Run(ctx, c)
}

// config is what one runner is told; the journal is the host's.
func config(p *pack.Pack, w *world, h host.Host) engine.Config {
	var journal []wire.JournalRecord
	if disk, ok := h.(*hosttest.Host); ok {
		journal = disk.Journal()
	}
	return engine.Config{
		Start: &host.Start{Run: "run_test", Digest: p.Digest, Journal: journal, Inputs: map[string]json.RawMessage{"word": json.RawMessage(`"hello"`)}},
		Pack:  p, Host: h, Logger: slog.New(slog.DiscardHandler),
		Modules: []modules.Factory{core.Factory(), ocr.Factory(), review.Factory(), verify.Factory(), w.factory()},
	}
}

// code is the exception's code, "" for success.
func code(f host.Finish) string {
	if f.Exception == nil {
		return ""
	}
	return f.Exception.Code
}

//go:build linux

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// TestMain lets the test binary be the browser helper, as branchbot is.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "__browser" {
		if err := Keep(os.Args[2:]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
		}
		os.Exit(1)
	}
	if len(os.Args) == 3 && os.Args[1] == "__run" {
		holdBrowser(os.Args[2])
	}
	os.Exit(m.Run())
}

// bench is one run with a fake engine around the real module, proxy and browser.
type bench struct {
	testing.TB
	start    *host.Start
	pack     *pack.Pack
	module   *module
	proxy    *guard.Proxy
	globals  starlark.StringDict
	more     starlark.StringDict // names beside the module's
	scope    *scope
	ctx      context.Context
	log      *safeBuffer
	secrets  map[string]host.Secret
	mu       sync.Mutex
	events   []host.Event
	evidence []host.Evidence
}

type safeBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// newBench makes a run of the manifest with sites bound to origins.
func newBench(t testing.TB, manifest string, origins map[string]string, roots []byte) *bench {
	t.Helper()
	parsed, problems := pack.ParseManifest([]byte(manifest))
	if len(problems) > 0 {
		t.Fatalf("manifest: %v", problems)
	}
	helper, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	scratch, err := os.MkdirTemp("", "bb") // short: Chromium makes sockets below it
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, pack: &pack.Pack{Manifest: parsed}, ctx: t.Context(), log: &safeBuffer{}, secrets: map[string]host.Secret{}}
	b.start = &host.Start{
		Run: "run_test", Bot: parsed.Name, Trust: "embedded", Origins: origins, Roots: roots, Scratch: scratch,
		Browser: host.BrowserSettings{Helper: []string{helper, "__browser"}},
	}
	b.module = newModule(b)
	t.Cleanup(func() {
		if err := b.module.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if b.proxy != nil {
			if err := b.proxy.Close(); err != nil {
				t.Errorf("close the proxy: %v", err)
			}
		}
		if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		os.RemoveAll(scratch)
	})
	return b
}

func (b *bench) Context() context.Context { return b.ctx }
func (b *bench) Start() *host.Start       { return b.start }
func (b *bench) Pack() *pack.Pack         { return b.pack }
func (b *bench) Host() host.Host          { return b }
func (b *bench) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b *bench) Scope(*starlark.Thread) modules.Scope {
	if b.scope == nil {
		return &scope{ended: true}
	}
	return b.scope
}

func (b *bench) Recorded(*starlark.Thread, string, any, func(context.Context) (any, error)) (starlark.Value, error) {
	return nil, errors.New("not used by the browser")
}

func (b *bench) Call(thread *starlark.Thread, fn starlark.Callable, args ...starlark.Value) (starlark.Value, error) {
	return starlark.Call(thread, fn, args, nil)
}

func (b *bench) Global(name string) (starlark.Callable, bool) {
	fn, ok := b.globals[name].(starlark.Callable)
	return fn, ok
}

func (b *bench) Append(context.Context, wire.JournalRecord) (wire.JournalRecord, error) {
	return wire.JournalRecord{}, errors.New("not used by the browser")
}

func (b *bench) Secret(_ context.Context, name string) (host.Secret, error) {
	stored, ok := b.secrets[name]
	if !ok {
		return host.Secret{}, fault.New(fault.Usage, "secret_unknown", "no secret %s", name)
	}
	return stored, nil
}

func (b *bench) ReadDocument(context.Context, ocr.Request) (ocr.Document, error) {
	return ocr.Document{}, errors.New("not used by the browser")
}

func (b *bench) PutEvidence(_ context.Context, e host.Evidence) (wire.EvidenceRef, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.evidence = append(b.evidence, e)
	return wire.EvidenceRef{Digest: wire.Digest(e.Bytes)}, nil
}

func (b *bench) Observe(e host.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// scope is a step with its journal in memory.
type scope struct {
	path    string
	attempt int
	ended   bool
	claimed bool
	ends    []func()
	receipt map[string]string
	records []wire.JournalRecord
}

func (s *scope) Path() string                  { return s.path }
func (s *scope) Attempt() int                  { return max(s.attempt, 1) }
func (s *scope) Open() bool                    { return !s.ended }
func (s *scope) OnEnd(fn func())               { s.ends = append(s.ends, fn) }
func (s *scope) History() []wire.JournalRecord { return s.records }
func (s *scope) Submitted(r map[string]string) { s.receipt = r }
func (s *scope) ClaimSubmit() error {
	if s.claimed {
		return fault.New(fault.Application, "second_submit", "second submit")
	}
	s.claimed = true
	return nil
}

func (s *scope) Record(_ context.Context, kind wire.RecordKind, data any) error {
	raw, err := json.Marshal(data)
	s.records = append(s.records, wire.JournalRecord{Kind: kind, Data: raw, At: time.Now().UTC()})
	return err
}

func (s *scope) kinds() []wire.RecordKind {
	kinds := []wire.RecordKind{}
	for _, record := range s.records {
		kinds = append(kinds, record.Kind)
	}
	return kinds
}

func (s *scope) end() {
	for _, fn := range slices.Backward(s.ends) {
		fn()
	}
	s.ended, s.ends = true, nil
}

// load evaluates the script's top level.
func (b *bench) load(source string) {
	b.Helper()
	names := b.module.Names()
	maps.Copy(names, b.more)
	globals, err := starlark.ExecFileOptions(pack.Dialect(), &starlark.Thread{}, "main.star", source, names)
	if err != nil {
		b.Fatalf("script: %v", err)
	}
	b.globals = globals
}

// step calls the function run of the script as one step.
func (b *bench) step(source string) (starlark.Value, error) {
	b.Helper()
	b.load(source)
	b.scope = &scope{path: "open account"}
	defer b.scope.end()
	return starlark.Call(&starlark.Thread{}, b.globals["run"], nil, nil)
}

// must is step for scripts that have to succeed.
func (b *bench) must(source string) starlark.Value {
	b.Helper()
	value, err := b.step(source)
	if err != nil {
		b.Fatalf("%v\n%s", err, b.log)
	}
	return value
}

// fails is step for scripts that have to fail with a code; it returns the fault.
func (b *bench) fails(source, code string) *fault.Error {
	b.Helper()
	value, err := b.step(source)
	if err == nil {
		b.Fatalf("got %v, want the error %s", value, code)
	}
	if got := fault.Of(err); got.Code != code {
		b.Fatalf("got %s (%v), want %s\n%s", got.Code, err, code, b.log)
	}
	return fault.Of(err)
}

// site serves pages of our own over TLS and keeps what it was sent.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]string
	posts []post
}

// show puts another page at a path and forgets what was sent.
func (s *site) show(path, page string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path], s.posts = page, nil
}

type post struct {
	path string
	body string
	form map[string][]string
}

// newSite serves pages by path; POSTs are kept and answered with a receipt.
func newSite(t testing.TB, pages map[string]string) *site {
	t.Helper()
	s := &site{pages: pages}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			s.take(w, r)
			return
		}
		s.mu.Lock()
		page, ok := pages[r.URL.Path]
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		kind := mime.TypeByExtension(filepath.Ext(r.URL.Path))
		if kind == "" {
			kind = "text/html; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) take(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	p := post{path: r.URL.Path, body: body.String()}
	r.Body = http.NoBody
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		again, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, "/", strings.NewReader(p.body))
		again.Header = r.Header
		_ = again.ParseForm()
		p.form = again.PostForm
	}
	s.mu.Lock()
	s.posts = append(s.posts, p)
	more := s.pages["reply"]
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(`<h1>开户成功</h1><p id="serial">S-1</p>` + more))
}

func (s *site) sent() []post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

func (s *site) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// bind makes a run whose site "core" is this one.
func (s *site) bind(t testing.TB, manifest string) *bench {
	t.Helper()
	return newBench(t, manifest, map[string]string{"core": s.URL}, s.pem())
}

const plainManifest = `
name: test
version: 1.0.0
title: {en: Test}
owner: tests
capabilities: {sites: [core], secrets: [core]}
`

type callable = starlark.Callable

func thread() *starlark.Thread { return &starlark.Thread{Print: func(*starlark.Thread, string) {}} }

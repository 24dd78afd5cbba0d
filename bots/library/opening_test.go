package library_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/library"
	"branchbot/bots/modules/all"
	"branchbot/bots/modules/browser"
	"branchbot/bots/pack"
	"branchbot/internal/bank"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// TestMain lets the test binary be the browser helper, as branchbot is.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "__browser" {
		fmt.Fprintln(os.Stderr, browser.Keep(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func shipped(t *testing.T, name string) *pack.Pack {
	t.Helper()
	packs, err := library.Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		if p.Manifest.Name == name {
			return p
		}
	}
	t.Fatalf("there is no shipped pack %s", name)
	return nil
}

func TestShippedPacksHaveNoProblems(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"account-opening", "id-check"} {
		for _, problem := range shipped(t, name).Check() {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// counter is the sample bank with a device in front of it.
type counter struct {
	*testing.T
	site   *bank.Site
	pack   *pack.Pack
	host   *hosttest.Host
	origin string
	roots  []byte
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	if missing := bank.Missing(); len(missing) > 0 {
		t.Fatalf("the front-end files %v are missing: run internal/ui/assets.sh", missing)
	}
	site := bank.New(bank.Options{AllowDuplicates: true}) // a second account would show
	running, err := site.Start(t.Context(), bank.Listen{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	c := &counter{T: t, site: site, pack: shipped(t, "account-opening"), origin: running.URL, roots: running.CA}
	c.pack.Manifest.Submits["open"].Settle = 100 * time.Millisecond
	c.host = &hosttest.Host{Run: "run_test", Secrets: map[string]host.Secret{"core": {
		Name: "core", Origin: running.URL,
		Values: map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword},
	}}}
	c.host.Read = func(ocr.Request) (ocr.Document, error) {
		return ocr.Document{Kind: "cn_id_card", Verdict: ocr.Pass, Fields: map[string]ocr.Field{
			"name": {Value: "张三"}, "number": {Value: "11010519491231002X"}, "birth": {Value: "1949-12-31"}, "sex": {Value: "女"},
			"ethnicity": {Value: "汉"}, "address": {Value: "北京市朝阳区示例路1号"},
		}}, nil
	}
	return c
}

func (c *counter) run() host.Finish {
	c.Helper()
	helper, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	scratch, err := os.MkdirTemp("", "bb") // short: Chromium makes sockets below it
	if err != nil {
		c.Fatal(err)
	}
	defer os.RemoveAll(scratch)
	inputs, err := c.pack.Manifest.Inputs.Parse(map[string]any{
		"name": "张三", "phone": "13800000000", "product": "current",
		"card": map[string]any{"path": "/card.png", "name": "card.png", "digest": "sha256:1", "media_type": "image/png"},
	})
	if err != nil {
		c.Fatal(err)
	}
	return engine.Run(c.Context(), engine.Config{
		Pack: c.pack, Host: c.host, Modules: all.Modules(), Logger: slog.New(slog.DiscardHandler),
		Start: &host.Start{
			Run: "run_test", Trust: "embedded", Inputs: inputs, Journal: c.host.Journal(), Scratch: scratch,
			Origins: map[string]string{"core": c.origin}, Roots: c.roots,
			Browser: host.BrowserSettings{Helper: []string{helper, "__browser"}, Language: "zh-CN"},
		},
	})
}

func (c *counter) wantOneAccount(f host.Finish) {
	c.Helper()
	records := c.site.Records()
	if len(records) != 1 {
		c.Fatalf("the site has %d records, want one; the run: %s %+v", len(records), f.State, f.Exception)
	}
	var output struct{ Account string }
	if f.State != wire.Succeeded || json.Unmarshal(f.Output, &output) != nil || output.Account != records[0].No {
		c.Fatalf("got %s %s %+v, want account %s", f.State, f.Output, f.Exception, records[0].No)
	}
}

func TestAccountOpening(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	f := c.run()
	c.wantOneAccount(f)
	if len(f.Forms) != 2 || f.Forms[1].Fields < 12 {
		t.Errorf("forms %+v, want the login and one of at least 12 fields", f.Forms)
	}
	if again := c.run(); string(again.Output) != string(f.Output) {
		t.Errorf("replay gave %s, want %s", again.Output, f.Output)
	}
	c.wantOneAccount(f)
}

// The runner dies around every record of the submit; a new one goes on. The
// records: ocr.read, review, intent, prepared, outcome, step.
func TestAccountOpeningResumes(t *testing.T) {
	t.Parallel()
	for name, die := range map[string]struct {
		CutAfter  int
		CutBefore bool
	}{
		"after intent":   {CutAfter: 3},
		"after prepared": {CutAfter: 4},
		"before outcome": {CutAfter: 5, CutBefore: true},
		"after outcome":  {CutAfter: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t)
			c.host.CutAfter, c.host.CutBefore = die.CutAfter, die.CutBefore
			if f := c.run(); f.State == wire.Succeeded {
				t.Fatalf("the first runner lived: %s", f.Output)
			}
			c.host = c.host.Resume()
			c.wantOneAccount(c.run())
		})
	}
}

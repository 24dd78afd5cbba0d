// Package uitest drives our own pages in a real Chromium, for tests only.
//
//	browser := uitest.Browser(t)
//	page := uitest.Open(t, browser, server.URL+"/")
package uitest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// patience bounds everything a test does with a page, oneStep one wait in it.
const (
	patience = 4 * time.Minute
	oneStep  = time.Minute
)

// Browser starts a Chromium that ends with the test.
func Browser(t *testing.T) *rod.Browser {
	t.Helper()
	path, ok := launcher.LookPath()
	if !ok {
		t.Fatal("no Chromium on this machine: run install/deps.sh")
	}
	launch := launcher.New().Bin(path).Leakless(false).Headless(true).UserDataDir(t.TempDir()).
		Set("disable-background-networking").Set("no-first-run").Set("disable-sync").Set("disable-component-update").
		Set("lang", "zh-CN").Set("window-size", "1280,900")
	if os.Geteuid() == 0 {
		launch = launch.NoSandbox(true) // Chromium refuses to start as root otherwise
	}
	address, err := launch.Launch()
	if err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	browser := rod.New().ControlURL(address)
	if err := browser.Connect(); err != nil {
		launch.Kill()
		t.Fatalf("connect to Chromium: %v", err)
	}
	t.Cleanup(func() {
		_ = browser.Close()
		launch.Kill()
		launch.Cleanup()
	})
	return browser
}

// Open loads a page and fails the test if the browser reports that our policy
// blocked something or that a script failed.
func Open(t *testing.T, browser *rod.Browser, url string) *rod.Page {
	t.Helper()
	page, err := browser.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatalf("new page: %v", err)
	}
	page = page.Timeout(patience)
	watch(t, page)
	speakChinese(t, page)
	if err := page.Navigate(url); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	if err := page.WaitLoad(); err != nil {
		t.Fatalf("load %s: %v", url, err)
	}
	return page
}

// speakChinese makes the page ask for Chinese as a branch's browser does.
func speakChinese(t *testing.T, page *rod.Page) {
	t.Helper()
	version, err := proto.BrowserGetVersion{}.Call(page)
	if err == nil {
		err = page.SetUserAgent(&proto.NetworkSetUserAgentOverride{UserAgent: version.UserAgent, AcceptLanguage: "zh-CN"})
	}
	if err != nil {
		t.Fatalf("set language: %v", err)
	}
}

// watch turns the browser's complaints into failures of the test.
func watch(t *testing.T, page *rod.Page) {
	_ = proto.LogEnable{}.Call(page)
	_ = proto.RuntimeEnable{}.Call(page)
	ended := make(chan struct{})
	wait := page.EachEvent(
		func(e *proto.LogEntryAdded) {
			if e.Entry.Level == proto.LogLogEntryLevelError && e.Entry.Source != proto.LogLogEntrySourceNetwork {
				t.Errorf("browser: %s %s", e.Entry.Text, e.Entry.URL)
			}
		},
		func(e *proto.RuntimeExceptionThrown) { t.Errorf("script: %s", e.ExceptionDetails.Text) },
	)
	go func() { defer close(ended); wait() }()
	t.Cleanup(func() { _ = page.Close(); <-ended })
}

// See waits until an element with this text shows and returns it.
func See(t *testing.T, page *rod.Page, selector, text string) *rod.Element {
	t.Helper()
	element, err := page.Timeout(oneStep).ElementR(selector, text)
	if err == nil {
		return element.CancelTimeout()
	}
	seen := ""
	if body, problem := page.Eval(`() => location.href + document.body.innerText`); problem == nil {
		seen = body.Value.Str()
	}
	t.Fatalf("no %s with %q: %v\npage:\n%s", selector, text, err, seen)
	return nil
}

// Press clicks the element that shows this text.
func Press(t *testing.T, page *rod.Page, selector, text string) {
	t.Helper()
	if err := See(t, page, selector, text).Click(proto.InputMouseButtonLeft, 1); err != nil {
		t.Fatalf("press %s %q: %v", selector, text, err)
	}
}

// Type puts text into a field.
func Type(t *testing.T, page *rod.Page, selector, text string) {
	t.Helper()
	element, err := page.Element(selector)
	if err == nil {
		err = element.Input(text)
	}
	if err != nil {
		t.Fatalf("type into %s: %v", selector, err)
	}
}

// Picture keeps what the page looks like: `go test -artifacts -outputdir FOLDER`.
func Picture(t *testing.T, page *rod.Page, name string) {
	t.Helper()
	data, err := page.Screenshot(true, nil)
	if err == nil {
		err = os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), data, 0o600)
	}
	if err != nil {
		t.Errorf("picture %s: %v", name, err)
	}
}

package console

import (
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/headoffice/evidence"
)

func newConsole(t *testing.T) *Console {
	t.Helper()
	c, err := New(nil, evidence.NewFolder(t.TempDir(), nil), NewNews(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBothLanguagesSayTheSameThings(t *testing.T) {
	t.Parallel()
	kit := newConsole(t).kit
	if diff := cmp.Diff(kit.Catalogue("en").Keys(), kit.Catalogue("zh-CN").Keys()); diff != "" {
		t.Errorf("keys (-en +zh-CN):\n%s", diff)
	}
}

// Every text that a template names exists, and nothing in it needs more than
// the strict policy allows.
func TestTemplates(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	used := regexp.MustCompile(`\bt "([^"]+)"`)
	inline := regexp.MustCompile(`<script|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:`)
	names, err := fs.Glob(site, "templates/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(site, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(text), -1) {
			if !c.kit.Catalogue("en").Has(match[1]) {
				t.Errorf("%s: no text %q", name, match[1])
			}
		}
		if found := inline.FindString(string(text)); found != "" {
			t.Errorf("%s: %q is inline", name, found)
		}
		for form := range strings.SplitSeq(string(text), "<form") {
			if strings.Contains(form, `method="post"`) && !strings.Contains(form, `template "csrf"`) {
				t.Errorf("%s: a form without csrf: %s", name, form)
			}
		}
	}
}

func TestNewsWakesAndEnds(t *testing.T) {
	t.Parallel()
	news := NewNews()
	before := news.Next()
	news.Tell()
	<-before
	select {
	case <-news.Next():
		t.Error("news that nobody told")
	default:
	}
	news.Close()
	news.Close()
	<-news.Closed()
	if slices.Contains(newConsole(t).Missing(), "tokens.css") {
		t.Error("own files are missing")
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "",
		"张三 12345":                         "张三 12345",
		"123456":                           "***3456",
		"a123456789b":                      "a***6789b",
		`["110101199003078515","savings"]`: `["***8515","savings"]`,
		"11010119900307851X":               "***7851X",
	} {
		if got := mask(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
}

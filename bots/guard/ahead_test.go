package guard

import (
	"testing"
	"time"
)

// A connection opened ahead is given away once, to its own site, while it is
// fresh and whole; otherwise the submit opens its own.
func TestAheadIsTakenOnceFreshAndWhole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, site *bank, a *ahead)
		want  bool
	}{
		{"fresh", func(*testing.T, *bank, *ahead) {}, true},
		{"stale", func(_ *testing.T, _ *bank, a *ahead) { a.opened = a.opened.Add(-freshFor) }, false},
		{"other site", func(_ *testing.T, _ *bank, a *ahead) { a.to.host = "other:1" }, false},
		{"taken already", func(t *testing.T, _ *bank, a *ahead) {
			if err := a.take(a.to).Close(); err != nil {
				t.Error(err)
			}
		}, false},
		{"closed by the site", func(t *testing.T, site *bank, a *ahead) {
			waitFor(t, func() bool { // the site may not have accepted it yet
				site.CloseClientConnections()
				return a.conn.Err() != nil
			})
		}, false},
	}
	for _, protocol := range protocols() {
		for _, test := range tests {
			t.Run(protocol+" "+test.name, func(t *testing.T) {
				t.Parallel()
				site := newBank(t, protocol)
				p := openProxy(t, site, nil)
				to, known := p.origins().siteOf("core")
				if !known {
					t.Fatal("the site is not known")
				}
				a := p.traffic.openAhead(t.Context(), to)
				defer a.close()
				<-a.done
				test.spoil(t, site, a)
				conn := a.take(to)
				if got := conn != nil; got != test.want {
					t.Fatalf("taken %v, want %v", got, test.want)
				}
				if conn != nil {
					conn.Close()
				}
			})
		}
	}
}

// No connection is left behind when nothing is sent.
func TestAheadIsClosedWithItsSubmit(t *testing.T) {
	t.Parallel()
	site := newBank(t, tlsH1)
	p := openProxy(t, site, nil)
	to, _ := p.origins().siteOf("")
	a := p.traffic.openAhead(t.Context(), to)
	<-a.done
	conn := a.conn
	a.close()
	waitFor(t, func() bool { return conn.Err() != nil })
	if site.requests() != nil {
		t.Errorf("the site was asked %v", site.requests())
	}
}

func TestSiteOfNeedsOneSite(t *testing.T) {
	t.Parallel()
	all, err := parseOrigins(map[string]string{"core": "https://core", "mail": "https://mail"})
	if err != nil {
		t.Fatal(err)
	}
	for site, want := range map[string]bool{"core": true, "mail": true, "": false, "other": false} {
		if _, got := all.siteOf(site); got != want {
			t.Errorf("site %q known %v, want %v", site, got, want)
		}
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

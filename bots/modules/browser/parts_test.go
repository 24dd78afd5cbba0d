//go:build linux

package browser

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/cdp"
	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
)

func TestOriginOf(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"https://Core.Example/x?y#z", "https://core.example"},
		{"https://core.example:443", "https://core.example"},
		{"http://core.example:80/", "http://core.example"},
		{"https://core.example:8443", "https://core.example:8443"},
		{"https://[::1]:443/", "https://[::1]"},
		{"ftp://core.example", ""},
		{"https://", ""},
		{"core.example", ""},
		{"https://a@core.example", ""},
		{"", ""},
		{"https://%zz", ""},
	}
	for _, tt := range tests {
		got, err := originOf(tt.in)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: got %q %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

// wires are the two ends of a pipe to a browser that we play.
func wires(t *testing.T) (p *pipe, toUs io.WriteCloser, fromUs io.Reader) {
	t.Helper()
	in, toUs := io.Pipe()
	fromUs, out := io.Pipe()
	p = newPipe(out, in)
	t.Cleanup(func() { _ = p.Close() })
	return p, toUs, fromUs
}

// Whatever a browser says, rod's client gets messages it can decode, and the end.
func FuzzPipe(f *testing.F) {
	f.Add([]byte("{\"id\":1,\"result\":{}}\x00"))
	f.Add([]byte("nonsense\x00{\"id\":1073741825,\"error\":{\"code\":1}}\x00{\"method\":\"x\"}\x00"))
	f.Add([]byte("\x00\x00{\"id\":\"text\"}\x00[]\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		in := io.NopCloser(bytes.NewReader(said))
		client := cdp.New().Start(newPipe(nopWriter{}, in))
		for event := range client.Event() {
			_ = event
		}
	})
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nopWriter) Close() error                { return nil }

func TestPipeEnds(t *testing.T) {
	t.Parallel()
	p, toUs, fromUs := wires(t)
	sent := make(chan error, 1)
	go func() { _, err := io.ReadFull(fromUs, make([]byte, 20)); sent <- err }()
	posting := make(chan (<-chan error), 1)
	go func() { posting <- p.post("s", "Input.insertText", map[string]string{"text": strings.Repeat("x", 8)}) }()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, fromUs) }()
	reply := <-posting
	_ = toUs.Close()
	if _, err := p.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read: %v", err)
	}
	if err := <-reply; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a post waits on: %v", err)
	}
	if err := p.Send([]byte("{}")); err == nil {
		t.Error("a dead pipe took a message")
	}
}

func TestFaultsOfThePage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault pageFault
		class fault.Class
		retry bool
	}{
		{pageFault{Code: "choice_not_offered"}, fault.Business, false},
		{pageFault{Code: "fill_mismatch", Cut: true}, fault.Business, false},
		{pageFault{Code: "fill_mismatch"}, fault.Application, true},
		{pageFault{Code: "field_not_found"}, fault.Application, true},
		{pageFault{Code: "ambiguous"}, fault.Application, false},
		{pageFault{Code: "fill_value"}, fault.Usage, false},
	}
	for _, tt := range tests {
		e := fault.Of(tt.fault.err())
		if e.Code != tt.fault.Code || e.Class != tt.class || e.Retryable != tt.retry {
			t.Errorf("%+v: got %s %s %v", tt.fault, e.Code, e.Class, e.Retryable)
		}
	}
}

func TestKeepRefuses(t *testing.T) {
	t.Parallel()
	if err := Keep(nil); !fault.HasCode(err, "browser_helper") {
		t.Error(err)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	l := launch{scratch: "/s", proxy: "127.0.0.1:1", spki: "pin", logger: nil}
	user, root := l.flags("/s/browser-1", false), l.flags("/s/browser-1", true)
	if diff := cmp.Diff([]string{"--no-sandbox"}, root[len(user)-1:len(root)-1]); diff != "" {
		t.Error(diff)
	}
	all := strings.Join(user, "\n")
	for _, want := range []string{"--remote-debugging-pipe", "--proxy-server=http://127.0.0.1:1", "--proxy-bypass-list=<-loopback>", "--ignore-certificate-errors-spki-list=pin", "--disable-quic", "--lang=zh-CN", "--headless=new"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, never := range []string{"--no-sandbox", "--disable-site-isolation-trials", "--remote-debugging-port", "--ignore-certificate-errors\n"} {
		if strings.Contains(all, never) {
			t.Errorf("%s is there", never)
		}
	}
}

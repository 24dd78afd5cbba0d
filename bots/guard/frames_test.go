package guard

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// frameSite speaks bare HTTP/2: it counts a POST as stored at its last frame,
// then answers with a frame that invites the client to try again.
type frameSite struct {
	net.Listener
	refuse func(*http2.Framer, uint32) error

	mu     sync.Mutex
	stored int
	conns  sync.WaitGroup
}

func newFrameSite(t *testing.T, refuse func(*http2.Framer, uint32) error) *frameSite {
	t.Helper()
	certificate := newBank(t, tlsH2).TLS.Certificates
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificate, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &frameSite{Listener: listener, refuse: refuse}
	s.conns.Go(s.serve)
	t.Cleanup(func() { listener.Close(); s.conns.Wait() })
	return s
}

func (s *frameSite) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		s.conns.Go(func() { defer conn.Close(); s.talk(conn) })
	}
}

func (s *frameSite) talk(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		header := frame.Header()
		switch {
		case header.Type == http2.FrameSettings && !header.Flags.Has(http2.FlagSettingsAck):
			if framer.WriteSettingsAck() != nil {
				return
			}
		case (header.Type == http2.FrameHeaders || header.Type == http2.FrameData) && header.Flags.Has(http2.FlagDataEndStream):
			s.mu.Lock()
			s.stored++
			s.mu.Unlock()
			if s.refuse(framer, header.StreamID) != nil {
				return
			}
		}
	}
}

// The frames say "not processed, send it again". The guard does not believe it:
// an empty-body POST met by REFUSED_STREAM was stored thousands of times by
// net/http's client.
func TestFramesThatInviteRepetition(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*http2.Framer, uint32) error{
		"REFUSED_STREAM": func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
		"GOAWAY":         func(f *http2.Framer, _ uint32) error { return f.WriteGoAway(0, http2.ErrCodeNo, nil) },
		"HTTP_1_1_REQUIRED": func(f *http2.Framer, id uint32) error {
			return f.WriteRSTStream(id, http2.ErrCodeHTTP11Required)
		},
	} {
		for _, body := range []string{annaJSON, ""} {
			t.Run(name+" "+body, func(t *testing.T) {
				t.Parallel()
				site, submit := newFrameSite(t, refuse), openSubmit()
				values := anna()
				if body == "" {
					submit.Fields, values = nil, nil
				}
				origin := "https://" + site.Addr().String()
				p, err := Open(t.Context(), Config{Manifest: manifestOf(submit), Origins: map[string]string{"core": origin}, Strict: true, Roots: rootsOf(newBank(t, tlsH2))})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				var got answer
				call := callOf(submit)
				call.Values = values
				result, _ := p.Submit(t.Context(), call, &hand{press: presses(browserOf(t, p), origin+"/api/accounts", body, &got)}, &journal{})
				if result.State != wire.SubmitInDoubt || got.status != 504 || site.stored != 1 {
					t.Errorf("%+v, page %d, stored %d", result, got.status, site.stored)
				}
			})
		}
	}
}

// A login is never repeated either, although it is no submit.
func TestWritesOutsideASubmitAreNotRepeated(t *testing.T) {
	t.Parallel()
	site := newFrameSite(t, func(f *http2.Framer, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeRefusedStream) })
	origin := "https://" + site.Addr().String()
	submit := openSubmit()
	submit.Before = []pack.Matcher{{Method: "POST", Path: "/upload"}}
	manifest := manifestOf(submit)
	manifest.Harmless = []pack.Matcher{{Method: "POST", Path: "/search"}}
	p, err := Open(t.Context(), Config{Manifest: manifest, Origins: map[string]string{"core": origin}, Roots: rootsOf(newBank(t, tlsH2))})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	attempt, err := p.gate.begin(submit)
	if err != nil {
		t.Fatal(err)
	}
	defer p.gate.retire(attempt)
	attempt.arm(nil)
	for i, path := range []string{"/upload", "/search"} {
		got := send(context.Background(), browserOf(t, p), "POST", origin+path, "", "")
		if got.status != 502 || site.stored != i+1 {
			t.Errorf("%s: page %+v, stored %d", path, got, site.stored)
		}
	}
}

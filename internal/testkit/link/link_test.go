package link_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"branchbot/internal/testkit/link"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// exchange sends bytes, closes its half, and returns what came back.
func exchange(t *testing.T, line *link.Line, send []byte) ([]byte, error) {
	t.Helper()
	conn, err := net.Dial("tcp", line.Addr())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	go func() {
		_, _ = conn.Write(send)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	return io.ReadAll(conn)
}

func text(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i * 7)
	}
	return out
}

func TestCutsAtTheByte(t *testing.T) {
	t.Parallel()
	server := echo(t)
	all := text(20_000)
	for _, c := range []struct {
		name  string
		fault link.Fault
		want  int
		reset bool
	}{
		{"good", link.Fault{}, 20_000, false},
		{"back, FIN", link.Fault{Down: link.Way{CutAfter: 9_999}}, 9_999, false},
		{"back, first byte", link.Fault{Down: link.Way{CutAfter: 1}}, 1, false},
		{"narrow and slow", link.Fault{Up: link.Way{Rate: 10 << 20, Delay: time.Millisecond}, Down: link.Way{Delay: time.Millisecond}}, 20_000, false},
		{"refused", link.Fault{Refuse: true}, 0, true},
		{"there, RST", link.Fault{Up: link.Way{CutAfter: 10, Reset: true}}, 10, true},
	} {
		line := link.New(t, server)
		line.Always(c.fault)
		got, err := exchange(t, line, all)
		if !bytes.HasPrefix(all, got) || len(got) > c.want || !c.reset && len(got) != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, len(got), c.want)
		}
		if isReset := errors.Is(err, syscall.ECONNRESET); isReset != c.reset && (c.reset || c.fault == link.Fault{}) {
			t.Errorf("%s: %v, reset %t wanted", c.name, err, c.reset)
		}
	}
}

// A line that stalls tells nobody; healed, the next connection is good.
func TestStallsAndHeals(t *testing.T) {
	t.Parallel()
	line := link.New(t, echo(t))
	for _, fault := range []link.Fault{{Silent: true}, {Down: link.Way{StopAfter: 5}}, {Up: link.Way{StopAfter: 5}}} {
		line.Always(fault)
		conn, err := net.Dial("tcp", line.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(text(100)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%+v: %v, want silence", fault, err)
		}
		line.Heal()
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%+v: after healing %v, want the old connection ended", fault, err)
		}
		_ = conn.Close()
		if got, err := exchange(t, line, text(1000)); err != nil || len(got) != 1000 {
			t.Errorf("%+v: after healing %d bytes, %v", fault, len(got), err)
		}
	}
}

func TestFaultsAreForOneConnectionEach(t *testing.T) {
	t.Parallel()
	line := link.New(t, "127.0.0.1:1") // nobody is there
	line.Server(echo(t))
	line.Next(link.Fault{Refuse: true}, link.Fault{Down: link.Way{CutAfter: 3}})
	for i, want := range []int{0, 3, 10} {
		if got, _ := exchange(t, line, text(10)); len(got) != want {
			t.Errorf("connection %d: %d bytes, want %d", i, len(got), want)
		}
	}
	if line.Connections() != 3 {
		t.Errorf("%d connections, want 3", line.Connections())
	}
}

func TestRandomIsItsSeed(t *testing.T) {
	t.Parallel()
	one, other := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	seen := map[link.Fault]bool{}
	for range 200 {
		fault := link.Random(one, 1000)
		if fault != link.Random(other, 1000) {
			t.Fatal("the same seed gives another fault")
		}
		seen[fault] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d kinds of fault", len(seen))
	}
}

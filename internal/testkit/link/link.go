// Package link is a bad line between two programs on loopback: a TCP proxy that
// delays, narrows, stalls, hangs up at a given byte, accepts and never answers,
// or refuses. Tests say what happens to the connections to come; Heal makes the
// line good again.
//
//	line := link.New(t, "127.0.0.1:7800")
//	line.Next(link.Fault{Up: link.Way{CutAfter: 1000, Reset: true}})
//	client dials line.Addr()
package link

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Way is what happens to the bytes in one direction.
type Way struct {
	Delay     time.Duration // of every piece
	Rate      int           // bytes per second, 0: as fast as it goes
	CutAfter  int64         // the connection ends when so many bytes have passed, 0: never
	Reset     bool          // cut with RST, not FIN
	StopAfter int64         // nothing passes after so many bytes, and nobody is told; 0: never
}

// Fault is what happens to a connection.
type Fault struct {
	Up, Down Way  // towards the server, and back
	Silent   bool // accepted, never read, never answered
	Refuse   bool // closed with RST as soon as it is accepted
}

// Line is the proxy.
type Line struct {
	listener net.Listener
	ctx      context.Context //nolint:containedctx // the line is a running activity
	end      context.CancelFunc
	work     sync.WaitGroup
	count    atomic.Int64

	mu     sync.Mutex
	server string
	next   []Fault // of the connections to come, then lasting
	last   Fault
	live   map[net.Conn]struct{}
}

// New makes a line to a server; it ends with the test.
func New(tb testing.TB, server string) *Line {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Line{listener: listener, server: server, live: map[net.Conn]struct{}{}}
	l.ctx, l.end = context.WithCancel(context.Background())
	l.work.Go(l.accept)
	tb.Cleanup(l.close)
	return l
}

// Addr is where clients dial.
func (l *Line) Addr() string { return l.listener.Addr().String() }

// Connections tells how many were made so far.
func (l *Line) Connections() int64 { return l.count.Load() }

// Server sets where connections to come lead: the server moved.
func (l *Line) Server(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = address
}

// Next says what happens to the next connections, one fault each.
func (l *Line) Next(faults ...Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = append(l.next, faults...)
}

// Always says what happens to all connections that no Next is left for.
func (l *Line) Always(fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = fault
}

// Heal makes the line good: for connections to come, and by ending those that
// are under way.
func (l *Line) Heal() {
	l.mu.Lock()
	l.next, l.last = nil, Fault{}
	l.mu.Unlock()
	l.Cut()
}

// Cut ends every connection that is under way, with RST.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.live {
		hangUp(conn, true)
	}
}

func (l *Line) close() {
	l.end()
	_ = l.listener.Close() // twice is fine
	l.Cut()
	l.work.Wait()
}

func (l *Line) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.count.Add(1)
		fault, server := l.take()
		l.work.Go(func() { l.serve(conn, fault, server) })
	}
}

func (l *Line) take() (Fault, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fault := l.last
	if len(l.next) > 0 {
		fault, l.next = l.next[0], l.next[1:]
	}
	return fault, l.server
}

// hold keeps a connection where Cut finds it.
func (l *Line) hold(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live[conn] = struct{}{}
	if l.ctx.Err() != nil {
		hangUp(conn, true)
	}
}

func (l *Line) drop(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, conn)
	_ = conn.Close() // twice is fine
}

func (l *Line) serve(client net.Conn, fault Fault, server string) {
	l.hold(client)
	defer l.drop(client)
	if fault.Refuse {
		hangUp(client, true)
		return
	}
	if fault.Silent {
		<-l.gone(client)
		return
	}
	upstream, err := new(net.Dialer).DialContext(l.ctx, "tcp", server)
	if err != nil {
		hangUp(client, true)
		return
	}
	l.hold(upstream)
	defer l.drop(upstream)
	var both sync.WaitGroup
	both.Go(func() { l.pass(upstream, client, fault.Up) })
	both.Go(func() { l.pass(client, upstream, fault.Down) })
	both.Wait()
}

// gone is closed when the connection is ended by Cut or the line's end. What the
// client sends meanwhile stays in its own buffers.
func (l *Line) gone(conn net.Conn) <-chan struct{} {
	ended := make(chan struct{})
	l.work.Go(func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-l.ctx.Done():
				return
			case <-tick.C: // a closed connection has no more options
				if errors.Is(conn.SetDeadline(time.Time{}), net.ErrClosed) {
					return
				}
			}
		}
	})
	return ended
}

// hangUp ends a connection; with reset the other side is told so.
func hangUp(conn net.Conn, reset bool) {
	if tcp, isTCP := conn.(*net.TCPConn); isTCP && reset {
		_ = tcp.SetLinger(0) // closed already is fine
	}
	_ = conn.Close() // twice is fine
}

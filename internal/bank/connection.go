package bank

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
)

// connection is what a request's context knows about the wire under it.
type connection struct {
	tcp      *net.TCPConn
	answered atomic.Int64
}

type connectionKey struct{}

// withConnection is http.Server.ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	tcp, _ := c.(*net.TCPConn)
	return context.WithValue(ctx, connectionKey{}, &connection{tcp: tcp})
}

func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
}

func isWarm(r *http.Request) bool {
	c := connectionOf(r)
	return c != nil && c.answered.Load() > 0
}

func countAnswer(r *http.Request) {
	if c := connectionOf(r); c != nil {
		c.answered.Add(1)
	}
}

// cut closes the connection under r without an answer and ends the handler.
func cut(r *http.Request, reset bool) {
	if c := connectionOf(r); c != nil && c.tcp != nil {
		if reset {
			_ = c.tcp.SetLinger(0) // makes Close send RST
		}
		_ = c.tcp.Close()
	}
	panic(http.ErrAbortHandler)
}

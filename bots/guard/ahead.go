package guard

import (
	"context"
	"net/http"
	"time"
)

// freshFor is how long a connection that was opened ahead may wait for its one
// request: shorter than any server waits for the first one.
const freshFor = 5 * time.Second

// ahead is the connection of a submit's request, opened while the button is
// still being pressed. It carries that request or nothing at all.
type ahead struct {
	to     target
	cancel context.CancelFunc
	done   chan struct{} // closed once the rest may be read
	conn   *http.ClientConn
	opened time.Time
}

// openAhead begins to connect. It holds nobody up and reports nothing: whoever
// gets no connection from take opens one and learns why.
func (t *traffic) openAhead(ctx context.Context, to target) *ahead {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead{to: to, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		if conn, err := t.dial(ctx, to); err == nil {
			a.conn, a.opened = conn, time.Now()
		}
	}()
	return a
}

// take gives the connection away, nil if there is none that is whole, fresh and
// for this site. Nothing has been written to it. Should the site close it from
// now on, that is a request that may have been sent, as on any connection.
func (a *ahead) take(to target) *http.ClientConn {
	if a == nil || a.to.origin() != to.origin() {
		return nil
	}
	<-a.done // the connection under way is there before another one could be
	conn := a.conn
	if conn == nil || conn.Err() != nil || conn.Available() == 0 || time.Since(a.opened) > freshFor {
		return nil
	}
	a.conn = nil
	return conn
}

// close ends what was not taken.
func (a *ahead) close() {
	if a == nil {
		return
	}
	a.cancel()
	<-a.done
	if a.conn != nil {
		a.conn.Close() //nolint:errcheck // it has carried nothing
	}
}

// siteOf is where a submit goes, if that is known before its request is there.
func (o origins) siteOf(site string) (target, bool) {
	var found []target
	for _, to := range o {
		if to.is(site) {
			found = append(found, to)
		}
	}
	if len(found) != 1 {
		return target{}, false
	}
	return found[0], true
}

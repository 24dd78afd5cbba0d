package guard

import (
	"net"
	"sync"
)

// Who may use the proxy, beside a process group.
const (
	anybody = 0  // a browser is about to come and its group is not yet known
	nobody  = -1 // there is no browser: the run goes the short way
)

// door decides which local processes may use the proxy.
type door struct {
	mu    sync.Mutex
	pgid  int
	known int // process that owned the last socket: looked at first
	open  map[net.Conn]struct{}
}

// unlock lets anybody in where nobody was; the first browser says who it is.
func (d *door) unlock() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pgid == nobody {
		d.pgid = anybody
	}
}

func (d *door) admit(pgid int) {
	d.mu.Lock()
	d.pgid = pgid
	var waiting []net.Conn
	for conn := range d.open {
		waiting = append(waiting, conn)
	}
	d.mu.Unlock()
	for _, conn := range waiting {
		if !d.admits(conn) {
			conn.Close() //nolint:errcheck // a stranger's
		}
	}
}

func (d *door) admits(conn net.Conn) bool {
	d.mu.Lock()
	pgid, hint := d.pgid, d.known
	d.mu.Unlock()
	if pgid == anybody || pgid == nobody {
		return pgid == anybody
	}
	owner, ok := socketOwner(conn, pgid, hint)
	if ok {
		d.mu.Lock()
		d.known = owner
		d.mu.Unlock()
	}
	return ok
}

func (d *door) enter(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = map[net.Conn]struct{}{}
	}
	d.open[conn] = struct{}{}
}

func (d *door) leave(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, conn)
}

// guardedListener hands out only connections that the door admits.
type guardedListener struct {
	net.Listener
	door *door
}

// Accept implements net.Listener.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tracked := &trackedConn{Conn: conn, door: l.door}
		l.door.enter(tracked) // before the look: Admit may come in between
		if l.door.admits(conn) {
			return tracked, nil
		}
		tracked.Close() //nolint:errcheck // a stranger's
	}
}

type trackedConn struct {
	net.Conn
	door *door
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.door.leave(c)
	return c.Conn.Close()
}

package link

import (
	"errors"
	"io"
	"net"
	"time"
)

// piece is how much passes at once.
const piece = 4 << 10

// pass carries bytes one way until that way ends.
func (l *Line) pass(to, from net.Conn, way Way) {
	buffer := make([]byte, piece)
	passed := int64(0)
	for {
		n, err := from.Read(buffer)
		head, ended := way.allow(passed, buffer[:n])
		if len(head) > 0 {
			l.wait(way.pause(len(head)))
			if _, err := to.Write(head); err != nil {
				hangUp(from, true)
				return
			}
			passed += int64(len(head))
		}
		switch {
		case ended && way.StopAfter > 0 && passed >= way.StopAfter:
			<-l.gone(from)
			return
		case ended:
			hangUp(to, way.Reset)
			hangUp(from, way.Reset)
			return
		case errors.Is(err, io.EOF): // half closed: the other way goes on
			if tcp, isTCP := to.(*net.TCPConn); isTCP {
				_ = tcp.CloseWrite() // gone already is fine
			}
			return
		case err != nil:
			hangUp(to, true)
			return
		}
	}
}

// allow tells how much of the bytes may pass, and whether that is the end.
func (w Way) allow(passed int64, bytes []byte) (head []byte, ended bool) {
	for _, limit := range []int64{w.CutAfter, w.StopAfter} {
		if limit > 0 && passed+int64(len(bytes)) >= limit {
			bytes, ended = bytes[:max(0, limit-passed)], true
		}
	}
	return bytes, ended
}

// pause is how long so many bytes take.
func (w Way) pause(bytes int) time.Duration {
	if w.Rate == 0 {
		return w.Delay
	}
	return w.Delay + time.Duration(bytes)*time.Second/time.Duration(w.Rate)
}

func (l *Line) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

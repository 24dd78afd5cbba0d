package guard

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
)

var errSocketSend = errors.New("the page may not send on this socket")

// socketListed reports whether a page may open this socket. What it may send is
// "none" in every manifest so far.
func (g *gate) socketListed(q *request) bool {
	if q.Method != http.MethodGet || !strings.EqualFold(q.Header.Get("Upgrade"), "websocket") {
		return false
	}
	for _, socket := range g.manifest.WebSockets {
		if pathFits(socket.URL, q.URL.Path) && (socket.Send == "" || socket.Send == "none") {
			return true
		}
	}
	return false
}

// listenOnly passes control frames (close, ping, pong) to the site and ends the
// socket at the first frame that carries data. What the site sends is not touched.
type listenOnly struct {
	io.ReadWriteCloser
	stopped func(code string)
	header  []byte // of the frame that is coming in
	left    uint64 // of its payload
}

// Write implements io.Writer for the bytes of the page.
func (s *listenOnly) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		if s.left > 0 {
			n := min(uint64(len(rest)), s.left)
			s.left -= n
			rest = rest[n:]
			continue
		}
		s.header = append(s.header, rest[0])
		rest = rest[1:]
		if s.header[0]&0x0f < 0x8 { // continuation, text, binary and the reserved ones
			s.stopped(codeSocketSend)
			return 0, errors.Join(errSocketSend, s.Close())
		}
		if length, complete := frameLength(s.header); complete {
			s.left, s.header = length, nil
		}
	}
	return s.ReadWriteCloser.Write(b)
}

// frameLength reads the payload length of a frame once its header, with the
// mask, is complete.
func frameLength(header []byte) (uint64, bool) {
	if len(header) < 2 {
		return 0, false
	}
	length, size := uint64(header[1]&0x7f), 2
	switch length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	extended := size
	if header[1]&0x80 != 0 {
		size += 4
	}
	if len(header) < size {
		return 0, false
	}
	switch extended {
	case 4:
		length = uint64(binary.BigEndian.Uint16(header[2:4]))
	case 10:
		length = binary.BigEndian.Uint64(header[2:10])
	}
	return length, true
}

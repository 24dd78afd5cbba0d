package ui

import (
	"net/http"
	"strings"
	"time"

	"branchbot/internal/fault"
)

// writeLimit is how long one event may take to leave; a reader that is gone ends the stream.
const writeLimit = 10 * time.Second

// Stream sends server-sent events to a page.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// NewStream answers r with an event stream. Code: stream_unsupported.
func NewStream(w http.ResponseWriter) (*Stream, error) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := &Stream{w: w, control: http.NewResponseController(w)}
	if err := s.control.Flush(); err != nil {
		return nil, fault.New(fault.Application, "stream_unsupported", "this connection cannot stream: %w", err)
	}
	return s, nil
}

// HTML sends a fragment: htmx swaps it into the element that is connected.
func (s *Stream) HTML(fragment string) error { return s.write("", fragment) }

// Version sends a fragment under an id, which the page sends back as
// Last-Event-ID when it connects again.
func (s *Stream) Version(id, fragment string) error { return s.write("id: "+id+"\n", fragment) }

// Event sends a named event, which the page gets as a DOM event; the name of
// hx-sse:close ends the connection.
func (s *Stream) Event(name string) error { return s.write("event: "+name+"\n", "-") }

// Beat sends a comment, which keeps the connection open and finds a dead reader.
func (s *Stream) Beat() error { return s.send(": beat\n\n") }

func (s *Stream) write(head, data string) error {
	var b strings.Builder
	b.WriteString(head)
	for line := range strings.SplitSeq(strings.ReplaceAll(data, "\r", ""), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	return s.send(b.String())
}

func (s *Stream) send(text string) error {
	// Best effort: a test recorder has no deadline.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil {
		return err
	}
	// HTTP/2 ends a stream when the moment comes, although nothing is being written.
	_ = s.control.SetWriteDeadline(time.Time{})
	return nil
}

package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-rod/rod/lib/cdp"

	"branchbot/internal/fault"
)

// firstPost separates our pipelined messages from those of rod's client, which
// counts from 1.
const firstPost = 1 << 30

// writeLimit is how long a browser may leave a full pipe unread.
const writeLimit = 15 * time.Second

// pipe is the browser's --remote-debugging-pipe: messages ended by a zero byte.
// It is the transport under rod's client, and carries posts beside it: messages
// sent in order without waiting for the reply before.
type pipe struct {
	out io.WriteCloser
	in  io.ReadCloser
	buf *bufio.Reader

	mu    sync.Mutex // guards all below and the order of writes
	next  int
	posts map[int]chan error
	dead  error
}

var _ cdp.WebSocketable = (*pipe)(nil)

func newPipe(out io.WriteCloser, in io.ReadCloser) *pipe {
	return &pipe{out: out, in: in, buf: bufio.NewReaderSize(in, 64<<10), next: firstPost, posts: map[int]chan error{}}
}

// Send writes one message.
func (p *pipe) Send(data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.write(data)
}

// write is called with the lock held.
func (p *pipe) write(data []byte) error {
	if p.dead != nil {
		return p.dead
	}
	if bounded, ok := p.out.(interface{ SetWriteDeadline(at time.Time) error }); ok {
		_ = bounded.SetWriteDeadline(time.Now().Add(writeLimit)) // a pipe of the system can
	}
	_, err := p.out.Write(append(data, 0))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.dead = frozen()
		_ = p.in.Close() // its reader ends everything
	}
	return err
}

// Read returns the next message that is not the reply to a post.
func (p *pipe) Read() ([]byte, error) {
	for {
		data, err := p.buf.ReadBytes(0)
		if err != nil {
			return nil, p.end(err)
		}
		data = data[:len(data)-1]
		var head struct {
			ID    int        `json:"id"`
			Error *cdp.Error `json:"error"`
		}
		if json.Unmarshal(data, &head) != nil {
			continue // rod's client would panic on it
		}
		if head.ID < firstPost {
			return data, nil
		}
		p.settle(head.ID, head.Error)
	}
}

// post sends a message without waiting; the channel gets the browser's reply.
func (p *pipe) post(session, method string, params any) <-chan error {
	reply := make(chan error, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	data, err := json.Marshal(&cdp.Request{ID: p.next, SessionID: session, Method: method, Params: params})
	if err == nil {
		p.posts[p.next] = reply
		err = p.write(data)
	}
	if err != nil {
		delete(p.posts, p.next)
		reply <- err
	}
	return reply
}

func (p *pipe) settle(id int, refused *cdp.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reply, ok := p.posts[id]
	if !ok {
		return
	}
	delete(p.posts, id)
	if refused != nil {
		reply <- refused
		return
	}
	reply <- nil
}

// end marks the pipe dead before its reader learns of it, so that no later
// message waits for a reply that cannot come.
func (p *pipe) end(cause error) error {
	if cause == nil || errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead == nil {
		p.dead = cause
	}
	for id, reply := range p.posts {
		delete(p.posts, id)
		reply <- cause
	}
	return cause
}

// cause is the fault behind a pipe that no longer works.
func (p *pipe) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault.HasCode(p.dead, codeFrozen) {
		return p.dead
	}
	return died()
}

// Close closes our ends; a reader then gets an error.
func (p *pipe) Close() error { return errors.Join(p.out.Close(), p.in.Close()) }

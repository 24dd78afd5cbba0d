package runner

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"branchbot/internal/fault"
)

// maxFrame bounds one message: a picture of evidence in base64 fits.
const maxFrame = 96 << 20

// Kinds of message.
const (
	kindStart  = "start"
	kindCall   = "call"
	kindReply  = "reply"
	kindEvent  = "event"
	kindCancel = "cancel"
	kindFinish = "finish"
)

type message struct {
	Kind   string          `json:"kind"`
	ID     uint64          `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Error  *fault.Wire     `json:"error,omitempty"`
}

// pipe frames messages: four bytes of length, big endian, then JSON.
// Reading is for one goroutine; writing is for any.
type pipe struct {
	in  *bufio.Reader
	mu  sync.Mutex
	out io.Writer
}

func newPipe(in io.Reader, out io.Writer) *pipe {
	return &pipe{in: bufio.NewReader(in), out: out}
}

func (p *pipe) read() (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return message{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return message{}, fault.New(fault.Application, "pipe_damaged", "a message of %d bytes is over the limit", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return message{}, err
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return message{}, fault.New(fault.Application, "pipe_damaged", "decode message: %w", err)
	}
	return m, nil
}

func (p *pipe) write(kind string, id uint64, method string, body any, problem error) error {
	m := message{Kind: kind, ID: id, Method: method, Error: fault.ToWire(problem)}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode %s: %w", kind, err)
		}
		m.Body = raw
	}
	frame, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	if len(frame) > maxFrame {
		return fault.New(fault.Application, "message_too_large", "%s of %d bytes does not fit the pipe", kind, len(frame))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

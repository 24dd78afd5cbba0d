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

// Bounds of one message. To a runner: its pack, its journal. From a runner, which
// is not trusted: a picture of evidence in base64.
const (
	maxFrame = 96 << 20
	maxCall  = 16 << 20
)

const (
	codeDamaged  = "pipe_damaged"
	codeTooLarge = "message_too_large"
)

func damaged(format string, args ...any) error {
	return fault.New(fault.Application, codeDamaged, format, args...).
		WithHint("the runner does not keep to the protocol: see the device's log")
}

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
	max uint32 // bytes of a message that is read
	mu  sync.Mutex
	out io.Writer
}

func newPipe(in io.Reader, out io.Writer, most uint32) *pipe {
	return &pipe{in: bufio.NewReader(in), max: most, out: out}
}

func (p *pipe) read() (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return message{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > p.max {
		return message{}, damaged("a message of %d bytes is over the limit", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return message{}, err
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return message{}, damaged("decode message: %w", err)
	}
	return m, nil
}

// limit is what the reader of a message takes.
func limit(kind string) int {
	if kind == kindStart || kind == kindReply {
		return maxFrame
	}
	return maxCall
}

// write sends one message. Code: message_too_large, then nothing was sent.
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
	if most := limit(kind); len(frame) > most {
		return fault.New(fault.Application, codeTooLarge, "%s of %d bytes is over the limit of %d", kind, len(frame), most).
			WithHint("return less, or keep it in a file")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}

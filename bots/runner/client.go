package runner

import (
	"context"
	"encoding/json"
	"sync"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// Methods of host.Host on the pipe.
const (
	methodAppend   = "append"
	methodSecret   = "secret"
	methodDocument = "read_document"
	methodEvidence = "put_evidence"
)

// client is the runner's host.Host: every method is a call over the pipe.
type client struct {
	pipe   *pipe
	mu     sync.Mutex
	last   uint64
	waits  map[uint64]chan message
	closed chan struct{}
}

var _ host.Host = (*client)(nil)

func newClient(p *pipe) *client {
	return &client{pipe: p, waits: map[uint64]chan message{}, closed: make(chan struct{})}
}

// deliver hands a reply to whoever waits for it. Called by the reading goroutine.
func (c *client) deliver(m message) {
	c.mu.Lock()
	wait := c.waits[m.ID]
	delete(c.waits, m.ID)
	c.mu.Unlock()
	if wait != nil {
		wait <- m
	}
}

// end fails every waiting and later call: the agent is gone.
func (c *client) end() { close(c.closed) }

func (c *client) call(ctx context.Context, method string, in, out any) error {
	c.mu.Lock()
	c.last++
	id, wait := c.last, make(chan message, 1)
	c.waits[id] = wait
	c.mu.Unlock()
	if err := c.pipe.write(kindCall, id, method, in, nil); err != nil {
		return err
	}
	select {
	case m := <-wait:
		if m.Error != nil {
			return m.Error.Err()
		}
		return json.Unmarshal(m.Body, out)
	case <-c.closed:
		return fault.New(fault.Application, "agent_gone", "the agent closed the pipe during %s", method)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *client) Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error) {
	var out wire.JournalRecord
	err := c.call(ctx, methodAppend, record, &out)
	return out, err
}

func (c *client) Secret(ctx context.Context, name string) (host.Secret, error) {
	var out host.Secret
	err := c.call(ctx, methodSecret, name, &out)
	return out, err
}

func (c *client) ReadDocument(ctx context.Context, request ocr.Request) (ocr.Document, error) {
	var out ocr.Document
	err := c.call(ctx, methodDocument, request, &out)
	return out, err
}

func (c *client) PutEvidence(ctx context.Context, evidence host.Evidence) (wire.EvidenceRef, error) {
	var out wire.EvidenceRef
	err := c.call(ctx, methodEvidence, evidence, &out)
	return out, err
}

// Observe is best effort: a broken pipe ends the run elsewhere.
func (c *client) Observe(event host.Event) { _ = c.pipe.write(kindEvent, 0, "", event, nil) }

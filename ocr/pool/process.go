package pool

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"sync/atomic"

	"branchbot/ocr"
	"branchbot/ocr/child"
	"branchbot/ocr/picture"
	"branchbot/ocr/worker"
)

// process is one running branchbot-ocr. It is used by one caller at a time.
type process struct {
	child   *child.Child
	client  *worker.Client
	pipes   []*os.File
	version string
	memory  int64
	rss     atomic.Int64
	broken  atomic.Bool
}

// startProcess starts the program and waits until it has loaded its languages.
func startProcess(ctx context.Context, path, languages string, memory int64) (*process, error) {
	childIn, toChild, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	fromChild, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make pipe: %w", err), childIn.Close(), toChild.Close())
	}
	command := exec.Command(path, "--languages", languages) //nolint:noctx // the worker outlives the call that starts it
	command.Stdin, command.Stdout = childIn, childOut
	started, err := child.Start(command, memory)
	_ = errors.Join(childIn.Close(), childOut.Close()) // the child has its own
	p := &process{child: started, client: worker.NewClient(toChild, fromChild), pipes: []*os.File{toChild, fromChild}, memory: memory}
	if err != nil {
		p.closePipes()
		return nil, err
	}
	if err := p.greet(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *process) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, p.child.Kill)
	defer stop()
	hello, err := p.client.Hello()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%w before it was ready: %w", child.ErrDied, err)
	}
	p.version = hello.Engine
	p.rss.Store(hello.RSS)
	return hello.Error.Err()
}

// Recognise asks the program. When ctx ends the program is killed: there is no
// other way to stop C. An end of the program is child.ErrDied.
func (p *process) Recognise(ctx context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	stop := context.AfterFunc(ctx, p.kill)
	defer stop()
	reply, err := p.client.Ask(picture.FromImage(source).Gray, options)
	page := ocr.Page{Words: reply.Words, Engine: p.version, CPU: reply.CPU}
	switch {
	case err == nil:
		p.rss.Store(reply.RSS)
		return page, reply.Error.Err()
	case ctx.Err() != nil:
		return page, context.Cause(ctx)
	}
	p.kill()
	return page, fmt.Errorf("%w: %w", child.ErrDied, err)
}

func (p *process) kill() {
	p.broken.Store(true)
	p.child.Kill()
}

// Worn reports whether the program ended or holds too much memory.
func (p *process) Worn() bool {
	return p.broken.Load() || p.rss.Load() > p.memory*3/4
}

func (p *process) Version() string { return p.version }

// Close ends the program and waits for its end.
func (p *process) Close() error {
	p.kill()
	_ = p.child.Wait() // it was killed: its exit says nothing
	p.closePipes()
	return nil
}

func (p *process) closePipes() {
	for _, pipe := range p.pipes {
		_ = pipe.Close() // the other side is gone
	}
}

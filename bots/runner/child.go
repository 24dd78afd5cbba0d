package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// Child is the body of the runner process: it reads the start message, runs the
// pack and reports the finish. It returns an error only when the pipe itself fails.
func Child(ctx context.Context, in io.Reader, out io.Writer, builtins []modules.Factory, logger *slog.Logger) error {
	p := newPipe(in, out, maxFrame)
	first, err := p.read()
	if err != nil {
		return fmt.Errorf("read start: %w", err)
	}
	var start host.Start
	if first.Kind != kindStart {
		return damaged("expected start, got %q", first.Kind)
	}
	if err := json.Unmarshal(first.Body, &start); err != nil {
		return damaged("decode start: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := newClient(p)
	go listen(p, c, cancel) // it ends with the pipe, which is the process's own input
	finish := evaluate(ctx, &start, c, builtins, logger)
	err = p.write(kindFinish, 0, "", finish, nil)
	if fault.HasCode(err, codeTooLarge) {
		err = p.write(kindFinish, 0, "", host.Failed(err), nil)
	}
	return err
}

// listen takes replies and the cancel message until the agent closes the pipe.
func listen(p *pipe, c *client, cancel context.CancelCauseFunc) {
	defer c.end()
	for {
		m, err := p.read()
		if err != nil {
			cancel(fault.New(fault.Application, "agent_gone", "the agent closed the pipe"))
			return
		}
		switch m.Kind {
		case kindReply:
			c.deliver(m)
		case kindCancel:
			cancel(m.Error.Err())
		}
	}
}

func evaluate(ctx context.Context, start *host.Start, h host.Host, builtins []modules.Factory, logger *slog.Logger) host.Finish {
	p, err := pack.Read(start.Pack)
	if err == nil && p.Digest != start.Digest {
		err = fault.New(fault.Refused, "pack_digest", "the pack's digest is %s, the run is pinned to %s", p.Digest, start.Digest)
	}
	if err != nil {
		return host.Failed(err)
	}
	if !start.Deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, start.Deadline, fault.New(fault.Application, "run_deadline",
			"the run took longer than its limit").WithHint("raise limits.time in pack.yaml, or find what the run waits for"))
		defer stop()
	}
	return engine.Run(ctx, engine.Config{Start: start, Pack: p, Host: h, Modules: builtins, Logger: logger})
}

package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"branchbot/internal/fault"
	"branchbot/ocr"
)

// Serve says hello and answers requests with the engine until in ends or ctx is done.
// Load makes the engine; its error is told in the hello.
func Serve(ctx context.Context, in io.Reader, out io.Writer, load func() (ocr.Engine, error)) (err error) {
	engine, loadErr := load()
	if loadErr != nil {
		return errors.Join(loadErr, writeFrame(out, Reply{Error: fault.ToWire(loadErr)}))
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := writeFrame(out, Reply{Engine: engine.Version(), RSS: residentBytes()}); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	reader := bufio.NewReaderSize(in, 1<<16)
	for {
		if err := answer(ctx, reader, out, engine); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func answer(ctx context.Context, in io.Reader, out io.Writer, engine ocr.Engine) error {
	var asked request
	if err := readFrame(in, &asked); err != nil {
		return err
	}
	gray, err := readPixels(in, asked.Width, asked.Height)
	if err != nil {
		return fmt.Errorf("read picture: %w", err)
	}
	before := cpuTime()
	page, err := engine.Recognise(ctx, gray, asked.Options)
	reply := Reply{
		Words: page.Words, Engine: engine.Version(), CPU: cpuTime() - before,
		RSS: residentBytes(), Error: fault.ToWire(err),
	}
	if err := writeFrame(out, reply); err != nil {
		return fmt.Errorf("write reply: %w", err)
	}
	return nil
}

// Package cli is the plumbing that all our programs share: arguments to
// commands, signals to cancellation, coded errors to exit codes and to the last
// line on stderr. A command is a struct with flags and a method
// Run(*cli.Invocation) error.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"branchbot/internal/fault"
)

// Env is everything the operating system gives a program. Only main fills it.
type Env struct {
	Args       []string // without the program's name
	In         io.Reader
	Out, Err   io.Writer
	Getenv     func(string) string
	Environ    []string
	Executable string // path of the running binary
	Terminal   bool   // Err is a terminal: progress may be drawn
	Exit       func(int)
}

// Program is a command line: Root is a kong struct of commands.
type Program struct {
	Name, Description string
	Root              any
}

// Invocation is one call of a command.
type Invocation struct {
	Env
	Ctx  context.Context // ends at the first SIGINT or SIGTERM
	JSON bool            // --json was given
}

// Run parses and runs one command and returns the exit code.
func Run(env Env, program Program) int {
	ctx, stop := signals(env)
	defer stop()
	inv := &Invocation{Env: env, Ctx: ctx, JSON: slices.Contains(env.Args, "--json")}
	err := execute(inv, program)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) && fault.Code(err) == fault.CodeInternal {
		err = fault.New(fault.Interrupted, "interrupted", "interrupted: %w", err)
	}
	report(inv, program.Name, err)
	return fault.ExitCode(err)
}

// signals cancels at the first signal and exits at the second: first finish or
// checkpoint, then now.
func signals(env Env) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-ch:
				if !first {
					env.Exit(130)
				}
				cancel(fault.New(fault.Interrupted, "interrupted", "stopped by signal %s: %w", s, context.Canceled))
			case <-done:
				return
			}
		}
	}()
	return ctx, func() { signal.Stop(ch); close(done); cancel(nil) }
}

type helpShown struct{}

func execute(inv *Invocation, program Program) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(helpShown); !ok {
				panic(r)
			}
		}
	}()
	parser, err := kong.New(program.Root, kong.Name(program.Name), kong.Description(program.Description),
		kong.Writers(inv.Out, inv.Err), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(int) { panic(helpShown{}) }))
	if err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	parsed, err := parser.Parse(inv.Args)
	if err != nil {
		return fault.New(fault.Usage, "usage", "%w", err).WithHint("run: %s --help", program.Name)
	}
	return parsed.Run(inv)
}

func report(inv *Invocation, name string, err error) {
	if inv.JSON {
		fmt.Fprintln(inv.Err, fault.JSONLine(err))
		return
	}
	e := fault.Of(err)
	fmt.Fprintf(inv.Err, "%s: %s [%s]\n", name, e.Message, e.Code)
	if e.Hint != "" {
		fmt.Fprintf(inv.Err, "  %s\n", e.Hint)
	}
}

// Print writes value as one JSON document with --json, else what human prints.
func (inv *Invocation) Print(value any, human func(io.Writer)) error {
	if !inv.JSON {
		human(inv.Out)
		return nil
	}
	return inv.PrintJSON(value)
}

// PrintJSON writes value as one line of JSON.
func (inv *Invocation) PrintJSON(value any) error {
	enc := json.NewEncoder(inv.Out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// Logger makes the program's logger on stderr. format: text or json.
func (inv *Invocation) Logger(level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: l}
	if strings.EqualFold(format, "json") {
		return slog.New(slog.NewJSONHandler(inv.Err, options))
	}
	return slog.New(slog.NewTextHandler(inv.Err, options))
}

// Progress shows text on stderr while fn takes longer than a second and stderr
// is a terminal.
func (inv *Invocation) Progress(text func() string, fn func() error) error {
	if !inv.Terminal || inv.JSON {
		return fn()
	}
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		inv.draw(text, done)
	}()
	err := fn()
	close(done)
	<-stopped
	return err
}

func (inv *Invocation) draw(text func() string, done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for shown := false; ; shown = true {
		select {
		case <-tick.C:
			fmt.Fprintf(inv.Err, "\r\033[K%s", text())
		case <-done:
			if shown {
				fmt.Fprint(inv.Err, "\r\033[K")
			}
			return
		}
	}
}

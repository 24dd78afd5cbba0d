// Command branchbot-ocr reads pictures for branchbot: a worker that speaks
// frames over stdin and stdout (package ocr/worker). The agent starts it on
// demand, limits it and replaces it; nobody needs to start it by hand.
//
//	branchbot-ocr --languages eng+chi_sim
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/engine"
	"branchbot/ocr/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, in io.Reader, out, messages io.Writer) int {
	flags := flag.NewFlagSet("branchbot-ocr", flag.ContinueOnError)
	flags.SetOutput(messages)
	languages := flags.String("languages", "eng", "languages to load, joined by +")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // the flag package has said why
	}
	err := worker.Serve(ctx, in, out, func() (ocr.Engine, error) {
		return engine.New(strings.Split(*languages, "+"))
	})
	if err != nil {
		fmt.Fprintln(messages, "branchbot-ocr:", err)
	}
	return fault.ExitCode(err)
}

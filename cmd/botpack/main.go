// Command botpack is the tool of bot authors: it checks packs and builds pack files.
package main

import (
	"os"

	"golang.org/x/term"

	"branchbot/internal/cli"
)

type commands struct {
	Check checkCmd `cmd:"" help:"Look for mistakes in a pack without running it."`
	Build buildCmd `cmd:"" help:"Check a pack and write it as one file. The same pack gives the same bytes."`
}

func main() {
	os.Exit(cli.Run(cli.Env{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())), Exit: os.Exit,
	}, program()))
}

func program() cli.Program {
	return cli.Program{Name: "botpack", Description: "For bot authors: check packs and build pack files.", Root: &commands{}}
}

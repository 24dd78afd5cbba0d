// Command demo shows the whole of branchbot on loopback: a sample core-banking
// site, a head office, an enrolled device, and one account opened from a scanned
// card. It starts the programs that lie beside it and ends them with itself.
package main

import (
	"os"

	"golang.org/x/term"

	"branchbot/internal/cli"
)

func main() {
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	os.Exit(cli.Run(cli.Env{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Environ: os.Environ(),
		Executable: executable, Terminal: term.IsTerminal(int(os.Stderr.Fd())), Exit: os.Exit,
	}, cli.Program{Name: "demo", Description: "branchbot on loopback: one account opened from a scanned card.", Root: &demoCmd{}}))
}

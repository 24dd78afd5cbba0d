// Command headoffice receives what devices report, shows it, and lets devices in.
package main

import (
	"os"

	"golang.org/x/term"

	"branchbot/internal/cli"
)

// version is set by the build.
var version = "dev"

type commands struct {
	Serve       serveCmd       `cmd:"" help:"Serve console and API on one HTTPS listener."`
	ConsoleLink consoleLinkCmd `cmd:"" help:"Print a one-time link into the console."`
	Device      deviceCmd      `cmd:"" help:"Devices: tokens, list, approval, revocation."`
	Runs        runsCmd        `cmd:"" help:"List the runs that devices reported, newest first."`
	Backup      backupCmd      `cmd:"" help:"Copy database, keys and evidence into one file, also while head office serves."`
	Restore     restoreCmd     `cmd:"" help:"Bring head office back from a backup."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(cli.Run(cli.Env{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())), Exit: os.Exit,
	}, cli.Program{Name: "headoffice", Description: "Head office of branchbot: devices report here.", Root: &commands{}}))
}

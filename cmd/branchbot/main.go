// Command branchbot is the device program: the agent, and the commands that
// people and scripts use on a device. The same binary is also the runner of a
// run and the keeper that starts its browser and outlives it.
package main

import (
	"fmt"
	"os"

	"golang.org/x/term"

	"branchbot/agent"
	"branchbot/bots/modules/browser"
	"branchbot/internal/cli"
)

// version is set by the build.
var version = "dev"

type commands struct {
	Agent   agentCmd   `cmd:"" help:"Run the daemon: panel, runs, schedules, the line to head office."`
	Run     runCmd     `cmd:"" help:"Run a pack once in the foreground, without a daemon."`
	Trigger triggerCmd `cmd:"" help:"Ask the agent for a run."`
	Runs    runsCmd    `cmd:"" help:"List runs, or show one."`
	Answer  answerCmd  `cmd:"" help:"Say what a person decided about a run that waits or is in doubt."`
	Cancel  cancelCmd  `cmd:"" help:"Ask a run to stop."`
	Outbox  outboxCmd  `cmd:"" help:"Show what waits for head office."`
	Enroll  enrollCmd  `cmd:"" help:"Bind this device to a head office."`
	Secret  secretCmd  `cmd:"" help:"Secrets that bots sign in with."`
	Site    siteCmd    `cmd:"" help:"What the site names in packs stand for on this device."`
	OCR     ocrCmd     `cmd:"" name:"ocr" help:"Read and verify documents."`
	Panel   panelCmd   `cmd:"" help:"Print the link that opens the panel of the running agent."`
	Doctor  doctorCmd  `cmd:"" help:"Check everything branchbot needs, and say how to mend it."`
	Torture tortureCmd `cmd:"" help:"Kill agent, runners and browsers while a pack runs, and count what was lost or done twice."`
	Version versionCmd `cmd:"" help:"Print the version."`
	Runner  runnerCmd  `cmd:"" name:"__runner" hidden:""`

	Tortured torturedCmd `cmd:"" name:"__tortured" hidden:""`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == agent.BrowserCommand {
		if err := browser.Keep(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	os.Exit(cli.Run(cli.Env{
		Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Environ: os.Environ(),
		Executable: executable, Terminal: term.IsTerminal(int(os.Stderr.Fd())), Exit: os.Exit,
	}, cli.Program{Name: "branchbot", Description: "Scripted bots for bank branches that never lose a result and never submit twice.", Root: &commands{}}))
}

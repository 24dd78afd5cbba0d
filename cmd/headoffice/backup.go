package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"branchbot/headoffice"
	"branchbot/internal/cli"
)

type backupCmd struct {
	place
	File string `arg:"" help:"New file that gets database, keys and evidence."`
}

// Run copies head office into a file, also while it serves.
func (c *backupCmd) Run(inv *cli.Invocation) error {
	config, err := c.load(inv, nil)
	if err != nil {
		return err
	}
	file, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	made, err := headoffice.WriteBackup(inv.Ctx, config.Data, file, actor())
	if err != nil {
		return err
	}
	return inv.Print(made, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d files, %d bytes. It holds head office's keys: keep it where only they may read it who may be head office.\n", made.File, made.Files, made.Bytes)
	})
}

type restoreCmd struct {
	place
	File    string `arg:"" help:"File that headoffice backup wrote."`
	Replace bool   `help:"Put it in the place of the head office that is there; that one is kept aside."`
}

// Run brings head office back from a backup.
func (c *restoreCmd) Run(inv *cli.Invocation) error {
	config, err := c.load(inv, nil)
	if err != nil {
		return err
	}
	done, err := headoffice.RestoreBackup(inv.Ctx, config.Data, c.File, c.Replace, actor())
	if err != nil {
		return err
	}
	return inv.Print(done, func(w io.Writer) {
		fmt.Fprintf(w, "restored the copy of %s as incarnation %s\n", done.Made.Local().Format(time.DateTime), done.Incarnation)
		if done.Aside != "" {
			fmt.Fprintf(w, "what was there is kept in %s\n", done.Aside)
		}
		fmt.Fprintln(w, "start it: devices send again what they still have; what none has any more is named as a gap")
	})
}

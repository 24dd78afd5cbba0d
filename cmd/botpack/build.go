package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"branchbot/bots/pack"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type buildCmd struct {
	Dir    string `arg:"" help:"Folder of the pack."`
	Output string `short:"o" required:"" help:"Pack file to write."`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// built is what build prints with --json.
type built struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
	Bytes   int    `json:"bytes"`
}

// Run checks first: nothing is written for a pack with errors.
func (c *buildCmd) Run(inv *cli.Invocation) error {
	p, err := pack.Load(c.Dir)
	if err != nil {
		return err
	}
	problems := p.Check()
	if len(problems) > 0 {
		printProblems(inv.Err, problems)
	}
	if err := wrong(problems); err != nil {
		return err
	}
	data, err := p.Zip()
	if err != nil {
		return err
	}
	if err := replace(c.Output, data); err != nil {
		return fault.New(fault.Usage, "output", "write %s: %w", c.Output, err).WithHint("choose another place with -o")
	}
	result := built{c.Output, p.Manifest.Name, p.Manifest.Version, p.Digest, len(data)}
	return inv.Print(result, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s %s, %d bytes, %s\n", result.File, result.Name, result.Version, result.Bytes, result.Digest)
	})
}

// replace writes the file whole or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".botpack-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/document"
	"branchbot/ocr/pool"
)

type ocrCmd struct {
	Files    []string `arg:"" name:"file" help:"Pictures."`
	Kind     string   `help:"Kind of document, or auto." default:"auto"`
	Together bool     `help:"The files are sides or pages of one document."`
	AsOf     string   `help:"Day at which expiry is judged: YYYY-MM-DD, or none; today unless told." placeholder:"DATE"`
	Expect   []string `help:"What a field must say." placeholder:"FIELD=VALUE" sep:"none"`
	JSON     bool     `help:"Print JSON, one line per file."`
	device
}

// unread is the line of a file that could not be read.
type unread struct {
	File    string      `json:"file"`
	Kind    string      `json:"kind"`
	Verdict string      `json:"verdict"`
	Error   *fault.Wire `json:"error"`
}

func (c ocrCmd) Run(inv *cli.Invocation) (err error) {
	expect, err := c.expected()
	if err != nil {
		return err
	}
	config, _, err := c.load(inv)
	if err != nil {
		return err
	}
	engine := pool.Open(pool.Options{
		Program: config.OCR.Program, Logger: inv.Logger("warn", config.Log.Format), MaxWorkers: config.OCR.Workers, MemoryLimit: int64(config.OCR.Memory),
	})
	defer func() { err = errors.Join(err, engine.Close()) }()
	var failed error
	for _, group := range c.groups() {
		request := ocr.Request{Files: group, Kind: c.Kind, Expect: expect, AsOf: c.AsOf}
		read, err := document.Read(inv.Ctx, engine, request)
		if inv.Ctx.Err() != nil {
			return inv.Ctx.Err()
		}
		if fault.HasCode(err, "document_request") { // the same for every file: wrong usage
			return err
		}
		if err != nil {
			failed = errors.Join(failed, err)
			err = c.printUnread(inv, strings.Join(group, " "), err)
		} else {
			err = inv.Print(read, func(w io.Writer) { tell(w, read) })
		}
		if err != nil {
			return err
		}
	}
	if failed != nil {
		return fault.New(fault.Application, "files_unread", "some files could not be read: %w", failed).
			WithHint("each file's line says what is wrong with it")
	}
	return nil
}

func (c ocrCmd) groups() [][]string {
	if c.Together {
		return [][]string{c.Files}
	}
	var single [][]string
	for _, file := range c.Files {
		single = append(single, []string{file})
	}
	return single
}

func (c ocrCmd) expected() (map[string]string, error) {
	expect := map[string]string{}
	for _, pair := range c.Expect {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fault.New(fault.Usage, "usage", "--expect %q is not FIELD=VALUE", pair)
		}
		expect[name] = value
	}
	return expect, nil
}

func (c ocrCmd) printUnread(inv *cli.Invocation, file string, problem error) error {
	line := unread{File: file, Kind: c.Kind, Verdict: ocr.Reject, Error: fault.ToWire(problem)}
	return inv.Print(line, func(w io.Writer) { fmt.Fprintf(w, "%s: %s [%s]\n", file, line.Error.Message, line.Error.Code) })
}

func tell(w io.Writer, d ocr.Document) {
	fmt.Fprintf(w, "%s: %s, %s\n", d.File, d.Kind, d.Verdict)
	names := make([]string, 0, len(d.Fields))
	for name := range d.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := d.Fields[name]
		fmt.Fprintf(w, "  %-12s %s  (%.2f)", name, f.Value, f.Confidence)
		if f.Doubt != "" {
			fmt.Fprintf(w, "  doubtful: %s", f.Doubt)
		}
		fmt.Fprintln(w)
	}
	for _, check := range d.Checks {
		if !check.OK {
			fmt.Fprintf(w, "  failed %s: %s\n", check.Rule, check.Detail)
		}
	}
	if d.Text != "" {
		fmt.Fprintln(w, d.Text)
	}
}

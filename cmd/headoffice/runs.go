package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type runsCmd struct {
	place
	Device string `help:"Only of this device." placeholder:"DEVICE"`
	Bot    string `help:"Only of this bot." placeholder:"BOT"`
	State  string `help:"Only in this state." placeholder:"STATE"`
	Since  string `help:"Started since: RFC 3339, a day (2026-01-31) or a span back from now (24h)." placeholder:"TIME"`
}

// Run prints one line per run.
func (c *runsCmd) Run(inv *cli.Invocation) (err error) {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	db, err := c.open(inv)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	filter := store.RunFilter{Device: c.Device, Bot: c.Bot, State: c.State, Since: since, Whole: inv.JSON}
	table := tabwriter.NewWriter(inv.Out, 0, 0, 2, ' ', 0)
	for row, err := range db.Runs(inv.Ctx, filter) {
		if err != nil {
			return err
		}
		if err := printRun(inv, table, row); err != nil {
			return err
		}
	}
	return table.Flush()
}

func printRun(inv *cli.Invocation, table io.Writer, row store.RunRow) error {
	if !inv.JSON {
		_, err := fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\t%s\n",
			row.Started.Format(time.RFC3339), row.State, row.Bot, row.Version, row.Device, row.Run, row.Exception)
		return err
	}
	line, err := runLine(row)
	if err != nil {
		return err
	}
	return inv.PrintJSON(line)
}

// runLine is the device's own record, with nothing of it lost that a newer
// device may have added, and where it came from.
func runLine(row store.RunRow) (map[string]json.RawMessage, error) {
	line := map[string]json.RawMessage{}
	if err := json.Unmarshal(row.Record, &line); err != nil {
		return nil, fmt.Errorf("read run %s: %w", row.Run, err)
	}
	for name, value := range map[string]any{"device": row.Device, "epoch": row.Epoch, "seq": row.Seq, "received": row.Received} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("print run %s: %w", row.Run, err)
		}
		line[name] = text
	}
	return line, nil
}

func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if span, err := time.ParseDuration(text); err == nil {
		return now.Add(-span), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fault.New(fault.Usage, "usage", "--since: %q is neither a time, a day nor a span", text).
		WithHint("For example 2026-01-31T08:00:00Z, 2026-01-31 or 24h.")
}

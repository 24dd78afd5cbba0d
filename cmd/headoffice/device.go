package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"branchbot/headoffice"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/store"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type deviceCmd struct {
	Token   deviceTokenCmd   `cmd:"" help:"Make one-time enrolment tokens."`
	List    deviceListCmd    `cmd:"" help:"List devices, newest first."`
	Approve deviceApproveCmd `cmd:"" help:"Let a device in that waits."`
	Revoke  deviceRevokeCmd  `cmd:"" help:"End a device's access at once."`
}

type deviceTokenCmd struct {
	place
	Count         int           `help:"How many tokens." default:"1"`
	Valid         time.Duration `help:"How long a token may wait to be used." default:"24h"`
	ApproveByHand bool          `help:"The device waits until: headoffice device approve."`
	Again         string        `help:"For a device that is known here: it enrols again under its id, and a halt ends." placeholder:"DEVICE"`
}

const maxTokens = 1000

// Run prints tokens, one a line. This is the only time they can be seen.
func (c *deviceTokenCmd) Run(inv *cli.Invocation) (err error) {
	if c.Count < 1 || c.Count > maxTokens {
		return fault.New(fault.Usage, "usage", "--count: %d is not between 1 and %d", c.Count, maxTokens).WithHint("Ask for fewer tokens.")
	}
	if c.Again != "" && c.Count != 1 {
		return fault.New(fault.Usage, "usage", "--again: one device needs one token, not %d", c.Count).WithHint("Leave --count out.")
	}
	if c.Valid <= 0 {
		return fault.New(fault.Usage, "usage", "--valid: %s is not a time to come", c.Valid).WithHint("For a day: --valid 24h")
	}
	config, err := c.load(inv, nil)
	if err != nil {
		return err
	}
	parts, err := headoffice.Open(inv.Ctx, config.Data)
	if err != nil {
		return err
	}
	defer closing(parts, &err)
	tokens, err := parts.Enrolment(config.AutoApprove).NewTokens(inv.Ctx,
		enrol.TokenOptions{Count: c.Count, Valid: c.Valid, ByHand: c.ApproveByHand, Device: c.Again, By: actor()})
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if err := inv.Print(token, func(w io.Writer) { fmt.Fprintln(w, token.Token) }); err != nil {
			return err
		}
	}
	return nil
}

type deviceListCmd struct{ place }

// deviceLine is a device as it is printed.
type deviceLine struct {
	Device             string     `json:"device"`
	State              string     `json:"state"`
	HaltReason         string     `json:"halt_reason,omitempty"`
	Hostname           string     `json:"hostname"`
	Version            string     `json:"version"`
	Enrolled           time.Time  `json:"enrolled"`
	LastSeen           *time.Time `json:"last_seen"`
	CertificateExpires *time.Time `json:"certificate_expires"`
	Epoch              string     `json:"epoch"`
	NextSeq            uint64     `json:"next_seq"`

	Epochs []epochLine `json:"epochs"` // the present one first
}

// epochLine is one sequence of a device.
type epochLine struct {
	Epoch     string    `json:"epoch"`
	NextSeq   uint64    `json:"next_seq"`
	Present   bool      `json:"present"`
	Gaps      []gapLine `json:"gaps"`      // records that neither side has any more
	Conflicts int       `json:"conflicts"` // records of which two versions came
}

type gapLine struct {
	First uint64    `json:"first"`
	Last  uint64    `json:"last"`
	Found time.Time `json:"found"`
}

// missing tells of records that neither side has any more.
func missing(epochs []store.Epoch) string {
	var n uint64
	for _, e := range epochs {
		for _, gap := range e.Gaps {
			n += gap.Records()
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d missing", n)
}

func epochLines(epochs []store.Epoch) []epochLine {
	lines := []epochLine{}
	for _, e := range epochs {
		line := epochLine{Epoch: e.Epoch, NextSeq: e.NextSeq, Present: e.Present, Conflicts: e.Conflicts, Gaps: []gapLine{}}
		for _, gap := range e.Gaps {
			line.Gaps = append(line.Gaps, gapLine{First: gap.First, Last: gap.Last, Found: gap.Found})
		}
		lines = append(lines, line)
	}
	return lines
}

// Run prints one line per device.
func (c *deviceListCmd) Run(inv *cli.Invocation) (err error) {
	db, err := c.open(inv)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	devices, err := db.Devices(inv.Ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(inv.Out, 0, 0, 2, ' ', 0)
	for _, d := range devices {
		epochs, err := db.Epochs(inv.Ctx, d.ID)
		if err != nil {
			return err
		}
		line := deviceLine{
			Device: d.ID, State: d.State, HaltReason: d.HaltReason, Hostname: d.Hostname, Version: d.Version, Enrolled: d.Enrolled,
			LastSeen: some(d.LastSeen), CertificateExpires: some(d.Certificate.Expires), Epoch: d.Epoch, NextSeq: d.NextSeq,
			Epochs: epochLines(epochs),
		}
		err = inv.Print(line, func(io.Writer) {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d records%s\t%s\n", d.ID, d.State, d.Hostname, d.Taken(), missing(epochs), d.HaltReason)
		})
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

type deviceApproveCmd struct {
	place
	Device string `arg:"" help:"Id of the device."`
}

// Run approves a waiting device.
func (c *deviceApproveCmd) Run(inv *cli.Invocation) (err error) {
	db, err := c.open(inv)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	if err := db.Approve(inv.Ctx, c.Device, actor()); err != nil {
		return err
	}
	return printState(inv, c.Device, store.DeviceApproved)
}

type deviceRevokeCmd struct {
	place
	Device string `arg:"" help:"Id of the device."`
}

// Run deletes the device's row: its next request is refused.
func (c *deviceRevokeCmd) Run(inv *cli.Invocation) (err error) {
	db, err := c.open(inv)
	if err != nil {
		return err
	}
	defer closing(db, &err)
	if err := db.Revoke(inv.Ctx, c.Device, actor()); err != nil {
		return err
	}
	return printState(inv, c.Device, "revoked")
}

func printState(inv *cli.Invocation, device, state string) error {
	return inv.Print(map[string]string{"device": device, "state": state}, func(w io.Writer) {
		fmt.Fprintln(w, device, state)
	})
}

func (p place) open(inv *cli.Invocation) (store.Store, error) {
	config, err := p.load(inv, nil)
	if err != nil {
		return nil, err
	}
	return headoffice.OpenStore(inv.Ctx, config.Data)
}

// closing is deferred: what closing finds belongs to the command's result.
func closing(c io.Closer, err *error) { *err = errors.Join(*err, c.Close()) }

func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

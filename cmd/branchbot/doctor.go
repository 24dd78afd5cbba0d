package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchbot/agent/control"
	"branchbot/agent/health"
	"branchbot/agent/store"
	"branchbot/configs"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type doctorCmd struct {
	JSON bool `help:"Print JSON."`
	device
}

// report is what doctor prints.
type report struct {
	Checks        []health.Check  `json:"checks"`
	Configuration configs.Sources `json:"configuration"` // key → where its value comes from
}

func (c doctorCmd) Run(inv *cli.Invocation) error {
	config, sources, err := c.load(inv)
	if err != nil {
		return err
	}
	found := report{Checks: append(health.Examine(inv.Ctx, config, time.Now()), c.line(inv, config.Data)...), Configuration: sources}
	if err := inv.Print(found, func(w io.Writer) { found.tell(w) }); err != nil {
		return err
	}
	for _, check := range found.Checks {
		if check.State == health.Failed {
			return fault.New(fault.Application, "unhealthy", "%s: %s", check.Code, check.Detail).WithHint("%s", check.Remedy)
		}
	}
	return nil
}

// line looks at the line to head office. A device that has no data yet is not
// given any: doctor changes nothing.
func (c doctorCmd) line(inv *cli.Invocation, data string) (checks []health.Check) {
	if _, err := os.Stat(filepath.Join(data, store.FileName)); err != nil {
		return nil
	}
	err := c.operate(inv, func(ctx context.Context, op control.Operator) error {
		state, err := op.Outbox(ctx, control.Nothing{})
		if err == nil {
			checks = append(checks, lineCheck(state), databaseCheck(state.Database))
		}
		return err
	})
	if err != nil {
		e := fault.Of(err)
		checks = append(checks, health.Check{Code: "head_office", State: health.Failed, Detail: e.Message, Remedy: e.Hint})
	}
	return checks
}

func lineCheck(state control.Outbox) health.Check {
	check := health.Check{Code: "head_office", State: health.OK, Detail: fmt.Sprintf("%s, %d waiting, epoch %s", state.HeadOffice, state.Waiting, state.Epoch)}
	switch {
	case state.Halted != nil:
		check.State, check.Detail, check.Remedy = health.Failed, state.Halted.Message, state.Halted.Hint
	case state.HeadOffice == "offline" && state.Waiting > 0:
		check.State, check.Remedy = health.Warning, "nothing is lost: results wait on this device; check the address and the line"
	}
	return check
}

// databaseCheck tells of damage: what was found, what was lost, and what to do.
func databaseCheck(d control.Database) health.Check {
	check := health.Check{Code: "database", State: health.OK, Detail: fmt.Sprintf("no damage, %d snapshots in %s", d.Snapshots.Count, d.Snapshots.Folder)}
	switch {
	case d.Damage.Pages != "":
		check.State, check.Detail = health.Failed, d.Damage.Pages
		check.Remedy = "check the drive, then start the agent again: it puts the database together from what is whole and from the newest snapshot"
	case d.Restored != nil && d.Restored.Reason == store.ReasonDamaged:
		check.State, check.Detail = health.Warning, restoredText(*d.Restored)
		check.Remedy = "check the drive; submits look first until head office has answered; the damaged file may be deleted by hand"
	case d.Damage.Found > d.Damage.Mended:
		check.State, check.Detail = health.Warning, fmt.Sprintf("%d damaged rows were found, %d of them mended", d.Damage.Found, d.Damage.Mended)
		check.Remedy = "check the drive and the memory of this device"
	}
	return check
}

func restoredText(r store.Restored) string {
	text := fmt.Sprintf("put together again at %s, set aside as %q", r.At.Format(time.RFC3339), r.Aside)
	for _, bucket := range slices.Sorted(maps.Keys(r.Lost)) {
		text += fmt.Sprintf(", %d rows of %s lost", r.Lost[bucket], bucket)
	}
	if len(r.Torn) > 0 {
		text += ", more may be lost of " + strings.Join(r.Torn, ", ")
	}
	return text
}

func (r report) tell(w io.Writer) {
	for _, check := range r.Checks {
		fmt.Fprintf(w, "%-8s %-14s %s\n", check.State, check.Code, check.Detail)
		if check.Remedy != "" {
			fmt.Fprintf(w, "%23s → %s\n", "", check.Remedy)
		}
	}
	fmt.Fprintln(w, "\nconfiguration that is not the default:")
	keys := make([]string, 0, len(r.Configuration))
	for key, source := range r.Configuration {
		if !strings.HasPrefix(source, "default") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(w, "  %-22s %s\n", key, r.Configuration[key])
	}
}

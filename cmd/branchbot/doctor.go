package main

import (
	"context"
	"fmt"
	"io"
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
			checks = append(checks, lineCheck(state))
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

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"branchbot/agent/health"
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
	found := report{Checks: health.Examine(inv.Ctx, config, time.Now()), Configuration: sources}
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

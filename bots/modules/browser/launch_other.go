//go:build !linux

package browser

import (
	"runtime"

	"branchbot/internal/fault"
)

func unsupported() error {
	return fault.New(fault.Application, "browser_unsupported", "the browser cannot be started on %s yet", runtime.GOOS).
		WithHint("run this bot on a Linux device")
}

func (l launch) spawn(string, string) (*process, error) { return nil, unsupported() }

// Keep starts Chromium and outlives it. Not available here.
func Keep([]string) error { return unsupported() }

// temporary is where the browser puts its temporary files: its profile.
func temporary(profile string) string { return profile }

func (p *process) kill() {}

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

func (l launch) spawn(string, []string) (*process, error) { return nil, unsupported() }

// Become turns the calling process into Chromium. Not available here.
func Become([]string) error { return unsupported() }

// temporary is where the browser puts its temporary files: its profile.
func temporary(profile string) string { return profile }

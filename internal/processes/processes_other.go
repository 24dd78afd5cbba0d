//go:build !linux

package processes

import (
	"runtime"

	"branchbot/internal/fault"
)

// Process is one running process.
type Process struct {
	PID, Parent, Group int
	Args               []string
}

func unsupported() ([]Process, error) {
	return nil, fault.New(fault.Application, "processes_unsupported", "processes cannot be listed on %s yet", runtime.GOOS).
		WithHint("do this on a Linux device")
}

// Tree returns the running process pid and everything below it.
func Tree(int) ([]Process, error) { return unsupported() }

// Alive returns those of list that still run.
func Alive([]Process) ([]Process, error) { return unsupported() }

// Mentioning returns the running processes that have text in their arguments,
// environment or working folder.
func Mentioning(string) ([]Process, error) { return unsupported() }

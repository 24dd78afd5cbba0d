package procs

import (
	"testing"
	"time"

	"branchbot/internal/processes"
)

// Process is one running process.
type Process = processes.Process

// Tree returns the running process pid and everything below it.
func Tree(pid int) ([]Process, error) { return processes.Tree(pid) }

// Alive returns those of list that still run.
func Alive(list []Process) ([]Process, error) { return processes.Alive(list) }

// Mentioning returns the running processes, without this one, that have text in
// their arguments, environment or working folder.
func Mentioning(text string) ([]Process, error) { return processes.Mentioning(text) }

// WaitGone waits until list finds nothing and fails the test when something is
// still there after ten seconds.
func WaitGone(tb testing.TB, list func() ([]Process, error)) {
	tb.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		left, err := list()
		if err != nil {
			tb.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-deadline.C:
			for _, p := range left {
				tb.Errorf("left behind: %s", p)
			}
			return
		}
	}
}

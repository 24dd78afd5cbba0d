// Package procs lets a test wait for processes to be gone; internal/processes
// finds them.
//
//	tree, err := procs.Tree(agent.Process.Pid) // while all is well: runner, browser, workers
//	agent.Process.Kill()
//	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(tree) })
//	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(dataFolder) })
//
// It reads /proc and so exists on Linux only.
package procs

// Package procs finds operating-system processes that a test left behind.
//
// A process is known by its number and start time, so that a number used again
// is not mistaken for it. Processes that have ended and only wait to be collected
// (zombies) are not running and are left out.
//
//	tree, err := procs.Tree(agent.Process.Pid) // while all is well: runner, browser, workers
//	agent.Process.Kill()
//	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(tree) })
//	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(dataFolder) })
//
// It reads /proc and so exists on Linux only.
package procs

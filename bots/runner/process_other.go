//go:build !linux

package runner

import "os/exec"

// confine does nothing here: the runner ends when its pipe closes.
func confine(*exec.Cmd) {}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// rss is not watched here.
func (p *process) rss() int64 { return 0 }

// LimitMemory relies on GOMEMLIMIT here; there is no data limit to set.
func LimitMemory(int64) error { return nil }

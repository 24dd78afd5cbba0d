//go:build !linux

package child

import "os/exec"

// confine does nothing here; a worker ends by itself when its input closes.
func confine(*exec.Cmd) {}

// limitMemory is not available here; the pool recycles by pages.
func limitMemory(int, int64) error { return nil }

//go:build !linux

package document

import "time"

// cpuClock is not available on this system: only the engine's time is counted.
type cpuClock struct{}

func startCPU() cpuClock { return cpuClock{} }

func (cpuClock) used() time.Duration { return 0 }

func (cpuClock) stop() {}

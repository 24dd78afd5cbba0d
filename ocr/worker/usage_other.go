//go:build !linux

package worker

import "time"

// cpuTime is not measured on this system.
func cpuTime() time.Duration { return 0 }

// residentBytes is not measured on this system: recycling goes by pages alone.
func residentBytes() int64 { return 0 }

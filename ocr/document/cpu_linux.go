package document

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuClock measures the processor time of the calling goroutine, which stays on
// its thread until stop.
type cpuClock struct{ start time.Duration }

func startCPU() cpuClock {
	runtime.LockOSThread()
	return cpuClock{start: threadCPU()}
}

func (c cpuClock) used() time.Duration { return threadCPU() - c.start }

func (c cpuClock) stop() { runtime.UnlockOSThread() }

func threadCPU() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime counts from the start of the machine; unlike Go's own monotonic clock
// also while it sleeps.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // then nothing grows old
	}
	return time.Duration(now.Nano())
}

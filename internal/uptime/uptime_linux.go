package uptime

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"branchbot/internal/wire"
)

func now() *wire.Uptime {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil
	}
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &at); err != nil {
		return nil
	}
	return &wire.Uptime{Boot: strings.TrimSpace(string(boot)), MS: time.Duration(at.Nano()).Milliseconds()}
}

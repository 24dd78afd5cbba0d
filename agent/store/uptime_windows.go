package store

import (
	"time"

	"golang.org/x/sys/windows"
)

// uptime counts from the start of the machine, also while it sleeps.
func uptime() time.Duration { return windows.DurationSinceBoot() }

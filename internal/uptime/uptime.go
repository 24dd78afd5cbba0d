// Package uptime reads the machine's own clock: time since its start, which no
// change of the date can move. Time that the machine slept through does not
// count, so that a wait measured by it is never shorter than it should be.
package uptime

import (
	"time"

	"branchbot/internal/wire"
)

// Now is this moment, nil where the machine does not tell.
func Now() *wire.Uptime { return now() }

// Since is how long ago a moment was at the least. Of a moment before the last
// start of the machine only the time since that start is certain.
func Since(then *wire.Uptime) time.Duration {
	at := now()
	switch {
	case at == nil || then == nil || then.Boot == "":
		return 0
	case then.Boot != at.Boot:
		return time.Duration(at.MS) * time.Millisecond
	}
	return max(0, time.Duration(at.MS-then.MS)*time.Millisecond)
}

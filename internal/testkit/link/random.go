package link

import (
	"math/rand/v2"
	"time"
)

// Random is a fault of a kind and a place that r chooses; one in three is none.
// span is how many bytes a whole exchange has, so that cuts fall inside it.
func Random(r *rand.Rand, span int64) Fault {
	at := 1 + r.Int64N(span)
	switch r.IntN(12) {
	case 0:
		return Fault{Up: Way{CutAfter: at}}
	case 1:
		return Fault{Up: Way{CutAfter: at, Reset: true}}
	case 2:
		return Fault{Down: Way{CutAfter: at}}
	case 3:
		return Fault{Down: Way{CutAfter: at, Reset: true}}
	case 4:
		return Fault{Refuse: true}
	case 5:
		return Fault{Silent: true}
	case 6:
		return Fault{Down: Way{StopAfter: at}}
	case 7:
		return Fault{Up: Way{Delay: time.Duration(r.IntN(4)) * time.Millisecond}, Down: Way{Rate: 1 << 20}}
	default:
		return Fault{}
	}
}

package run

import "sync"

// line lets so many runs work at a time; the others wait in the order of their coming.
type line struct {
	mu      sync.Mutex
	places  int // that are free
	waiting []chan struct{}
}

func newLine(places int) *line { return &line{places: places} }

// join takes a place, or stands in line for one. The channel is closed when it
// is the caller's turn; who has had a turn must leave.
func (l *line) join() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	turn := make(chan struct{})
	if l.places > 0 {
		l.places--
		close(turn)
	} else {
		l.waiting = append(l.waiting, turn)
	}
	return turn
}

// leave gives the place to whoever has waited longest.
func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.places++
		return
	}
	close(l.waiting[0])
	l.waiting = l.waiting[1:]
}

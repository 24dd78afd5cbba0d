package console

import "sync"

// News wakes the live pages of this process when something has changed.
type News struct {
	mu     sync.Mutex
	next   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// NewNews makes a News that nobody waits for yet.
func NewNews() *News {
	return &News{next: make(chan struct{}), closed: make(chan struct{})}
}

// Tell wakes everybody who waits.
func (n *News) Tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// Next is closed at the next Tell.
func (n *News) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

// Close ends all live pages, so that the server can stop.
func (n *News) Close() { n.once.Do(func() { close(n.closed) }) }

// Closed is closed when the server stops.
func (n *News) Closed() <-chan struct{} { return n.closed }

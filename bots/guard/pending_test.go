package guard

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Began sees a request from its first moment on, also one that has ended already.
func TestBeganWaitsForTheNextRequest(t *testing.T) {
	t.Parallel()
	p := newPending()
	begin := func() *visit {
		v, ok := p.enter()
		if !ok {
			t.Fatal("nobody may enter")
		}
		v.begins()
		return v
	}
	begin().exit()
	seen := p.count()
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.exceeds(short, seen); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing began, got %v", err)
	}
	began := make(chan error, 1)
	go func() { began <- p.exceeds(t.Context(), seen) }()
	v := begin()
	if err := <-began; err != nil {
		t.Error(err)
	}
	v.exit()
	if err := p.exceeds(t.Context(), seen); err != nil {
		t.Errorf("it has begun and ended, got %v", err)
	}
}

package powerfs

import (
	"math/rand/v2"
	"slices"
)

// history is what one place of the disk (a sector, a size, a directory entry)
// has held since it was last durable.
type history[T any] struct {
	durable T
	since   uint64       // the operation that wrote it
	later   []version[T] // oldest first
}

type version[T any] struct {
	at    uint64 // the operation that wrote it
	value T
	cut   bool // by a truncation
}

// maxVersions bounds memory: before a place has more, its oldest goes to the
// disk, as a kernel would write it back some day.
const maxVersions = 8

func (h *history[T]) now() T {
	if n := len(h.later); n > 0 {
		return h.later[n-1].value
	}
	return h.durable
}

// set returns the operation up to which the disk has been written back.
func (h *history[T]) set(v version[T]) (writtenBack uint64) {
	if len(h.later) == maxVersions {
		writtenBack = h.later[0].at
		h.durable, h.since = h.later[0].value, writtenBack
		h.later = append(h.later[:0], h.later[1:]...)
	}
	h.later = append(h.later, v)
	return writtenBack
}

// settle makes the present value the durable one.
func (h *history[T]) settle() {
	if n := len(h.later); n > 0 {
		h.durable, h.since, h.later = h.later[n-1].value, h.later[n-1].at, nil
	}
}

// isWritten tells whether a sector is on its way to the disk: a truncation alone
// writes none.
func (h *history[T]) isWritten() bool {
	return slices.ContainsFunc(h.later, func(v version[T]) bool { return !v.cut })
}

// under leaves what a sector can hold when the size that an operation gave its
// file survives: a truncation is there whole, with its size, or not at all.
func (h *history[T]) under(size uint64) *history[T] {
	if len(h.later) == 0 {
		return h
	}
	left := &history[T]{durable: h.durable, since: h.since}
	for _, v := range h.later {
		switch {
		case !v.cut:
			left.later = append(left.later, v)
		case v.at <= size:
			left.durable, left.since, left.later = v.value, v.at, nil
		}
	}
	return left
}

// fate decides at a cut what a place keeps.
type fate struct {
	random  *rand.Rand
	inOrder bool    // a prefix of all operations survives
	until   uint64  // its last operation
	torn    bool    // the one behind it survives in part
	share   float64 // without order: how likely something later than the durable value survives
	newest  bool    // and then it is the last one
}

// survivor returns what survives, and the operation that wrote it.
func survivor[T any](f *fate, h *history[T]) (value T, at uint64) {
	n := len(h.later)
	switch {
	case f.inOrder:
		return h.upTo(f)
	case n == 0 || f.random.Float64() >= f.share:
		return h.durable, h.since
	case f.newest:
		return h.later[n-1].value, h.later[n-1].at
	}
	v := h.later[f.random.IntN(n)]
	return v.value, v.at
}

func (h *history[T]) upTo(f *fate) (value T, at uint64) {
	value, at = h.durable, h.since
	for _, v := range h.later {
		if v.at <= f.until || f.torn && v.at == f.until+1 && f.random.IntN(2) == 0 {
			value, at = v.value, v.at
		}
	}
	return value, at
}

package powerfs

import "math/rand/v2"

// history is what one place of the disk (a sector, a size, a directory entry)
// has held since it was last durable.
type history[T any] struct {
	durable T
	later   []version[T] // oldest first
}

type version[T any] struct {
	at    uint64 // the operation that wrote it
	value T
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
func (h *history[T]) set(at uint64, value T) (writtenBack uint64) {
	if len(h.later) == maxVersions {
		writtenBack = h.later[0].at
		h.durable = h.later[0].value
		h.later = append(h.later[:0], h.later[1:]...)
	}
	h.later = append(h.later, version[T]{at, value})
	return writtenBack
}

// settle makes the present value the durable one.
func (h *history[T]) settle() {
	h.durable, h.later = h.now(), nil
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

func survivor[T any](f *fate, h *history[T]) T {
	if f.inOrder {
		return h.upTo(f)
	}
	if len(h.later) == 0 || f.random.Float64() >= f.share {
		return h.durable
	}
	if f.newest {
		return h.now()
	}
	return h.later[f.random.IntN(len(h.later))].value
}

func (h *history[T]) upTo(f *fate) T {
	value := h.durable
	for _, v := range h.later {
		if v.at <= f.until || f.torn && v.at == f.until+1 && f.random.IntN(2) == 0 {
			value = v.value
		}
	}
	return value
}

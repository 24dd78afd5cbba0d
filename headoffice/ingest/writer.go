// Package ingest takes device records: it decodes a request, checks that it is
// the certificate's own, and commits it together with the requests that other
// devices send at the same moment. The reply leaves after the commit.
package ingest

import (
	"context"
	"sync"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
)

// maxGroup bounds one transaction, in records.
const maxGroup = 2000

// Writer is the one goroutine that commits. While it waits for the disk, the
// next group gathers.
type Writer struct {
	store   store.Store
	pending chan request
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
	changed func()
}

type request struct {
	batch store.Batch
	reply chan<- store.Result
}

// NewWriter starts a writer; Close ends it. changed is told after each commit
// that stored something.
func NewWriter(s store.Store, changed func()) *Writer {
	w := &Writer{store: s, pending: make(chan request, 256), stop: make(chan struct{}), done: make(chan struct{}), changed: changed}
	go w.loop()
	return w
}

// Close commits what was handed over, then ends the goroutine.
func (w *Writer) Close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	return nil
}

// Commit hands a batch over and waits until it is on disk. When ctx ends the
// batch may still be committed: the device asks again and finds it known.
func (w *Writer) Commit(ctx context.Context, batch store.Batch) (store.Result, error) {
	reply := make(chan store.Result, 1)
	select {
	case w.pending <- request{batch: batch, reply: reply}:
	case <-w.stop:
		return store.Result{}, closing()
	case <-ctx.Done():
		return store.Result{}, context.Cause(ctx)
	}
	select {
	case result := <-reply:
		return result, result.Err
	case <-w.done:
	case <-ctx.Done():
		return store.Result{}, context.Cause(ctx)
	}
	select {
	case result := <-reply: // committed on the way out
		return result, result.Err
	default:
		return store.Result{}, closing()
	}
}

func closing() error {
	return fault.New(fault.Unreachable, "head_office_closing", "head office is stopping").Retry().
		WithHint("Nothing is lost: the device sends again by itself.")
}

func (w *Writer) loop() {
	defer close(w.done)
	for {
		select {
		case first := <-w.pending:
			w.commit(w.gather(first))
		case <-w.stop:
			w.drain()
			return
		}
	}
}

// drain commits what came in before the stop.
func (w *Writer) drain() {
	for {
		select {
		case first := <-w.pending:
			w.commit(w.gather(first))
		default:
			return
		}
	}
}

func (w *Writer) gather(first request) []request {
	group, records := []request{first}, len(first.batch.Records)
	for records < maxGroup {
		select {
		case next := <-w.pending:
			group = append(group, next)
			records += len(next.batch.Records)
		default:
			return group
		}
	}
	return group
}

func (w *Writer) commit(group []request) {
	batches := make([]store.Batch, len(group))
	for i, each := range group {
		batches[i] = each.batch
	}
	// Not the context of a request: one device that hangs up must not take back
	// the records of the others.
	results, err := w.store.Ingest(context.Background(), batches)
	stored := false
	for i, each := range group {
		result := store.Result{Err: unavailable(err)}
		if err == nil {
			result = results[i]
		}
		stored = stored || result.Stored > 0 || fault.HasCode(result.Err, "device_halted")
		each.reply <- result
	}
	if stored {
		w.changed()
	}
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Application, "store_unavailable", "head office could not store the records: %w", err).Retry().
		WithHint("Nothing is lost: the device keeps its records and sends again. Look at head office's disk and log.")
}

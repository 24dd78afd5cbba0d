// Package hosttest is an agent for tests: a Host that keeps everything in
// memory and can die at any record, as a real one may.
package hosttest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/uptime"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// ErrCut is what a Host answers once it has died.
var ErrCut = errors.New("the agent is gone")

// Host is an agent in memory. The exported fields are set before it is used;
// the methods may be called from any goroutine.
type Host struct {
	Run     string // id in the records
	Secrets map[string]host.Secret
	// Read answers ReadDocument; nil: no OCR.
	Read func(ocr.Request) (ocr.Document, error)
	// CutAfter lets the Host die after that many new records; 0 never.
	CutAfter int
	// CutBefore makes the last record fail before it is written, not after.
	CutBefore bool
	// Taken are business keys that other runs hold, with the fault they give.
	Taken map[string]error

	mu       sync.Mutex
	journal  []wire.JournalRecord
	appended int
	events   []host.Event
	evidence []host.Evidence
	reads    []ocr.Request
}

var _ host.Host = (*Host)(nil)

// Resume makes a new agent over what another one has on disk.
func (h *Host) Resume() *Host {
	return &Host{Run: h.Run, Secrets: h.Secrets, Read: h.Read, Taken: h.Taken, journal: h.Journal()}
}

// Journal is what is on disk.
func (h *Host) Journal() []wire.JournalRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.journal)
}

// Events is what was observed.
func (h *Host) Events() []host.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// Evidence is what was kept.
func (h *Host) Evidence() []host.Evidence {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.evidence)
}

// Reads is which documents were asked for.
func (h *Host) Reads() []ocr.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.reads)
}

// Append writes one record.
func (h *Host) Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return record, err
	}
	h.appended++
	cut := h.CutAfter > 0 && h.appended >= h.CutAfter
	if cut && (h.CutBefore || h.appended > h.CutAfter) {
		return record, ErrCut
	}
	if record.Kind == wire.RecordIntent {
		var intent wire.IntentData
		if json.Unmarshal(record.Data, &intent) == nil && h.Taken[intent.Key] != nil {
			return record, h.Taken[intent.Key]
		}
	}
	record.V, record.Run, record.N = wire.JournalVersion, h.Run, uint64(len(h.journal))+1
	record.At, record.By = time.Now().UTC(), wire.By{Person: "test", Kind: wire.BySystem}
	if record.Kind == wire.RecordPrepared || record.Kind == wire.RecordUnknown || record.Kind == wire.RecordTimer {
		record.Up = uptime.Now()
	}
	if len(h.journal) > 0 {
		record.Prev = h.journal[len(h.journal)-1].Hash
	}
	raw, err := json.Marshal(record)
	if err != nil {
		return record, err
	}
	record.Hash = wire.Digest(raw)
	h.journal = append(h.journal, record)
	if cut {
		return record, ErrCut
	}
	return record, nil
}

// Secret answers from Secrets.
func (h *Host) Secret(_ context.Context, name string) (host.Secret, error) {
	if s, ok := h.Secrets[name]; ok {
		return s, nil
	}
	return host.Secret{}, fault.New(fault.Usage, "secret_unknown", "there is no secret %s", name)
}

// ReadDocument answers with Read.
func (h *Host) ReadDocument(ctx context.Context, request ocr.Request) (ocr.Document, error) {
	h.mu.Lock()
	h.reads = append(h.reads, request)
	h.mu.Unlock()
	if h.Read == nil {
		return ocr.Document{}, fault.New(fault.Application, "ocr_missing", "there is no OCR here")
	}
	if err := ctx.Err(); err != nil {
		return ocr.Document{}, err
	}
	return h.Read(request)
}

// PutEvidence keeps it.
func (h *Host) PutEvidence(_ context.Context, evidence host.Evidence) (wire.EvidenceRef, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.evidence = append(h.evidence, evidence)
	return wire.EvidenceRef{
		Digest: wire.Digest(evidence.Bytes), Kind: evidence.Kind, MediaType: evidence.MediaType,
		Bytes: int64(len(evidence.Bytes)), Step: evidence.Step, At: time.Now().UTC(),
	}, nil
}

// Observe keeps the event.
func (h *Host) Observe(event host.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

// WithJournal puts records on disk, as an earlier agent left them.
func (h *Host) WithJournal(records []wire.JournalRecord) *Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.journal = slices.Clone(records)
	return h
}

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
	"branchbot/ocr/document"
)

// door is the host.Host of one run. It trusts its runner with nothing: other
// runs, other folders and what the manifest does not name are refused here too.
type door struct {
	m         *Manager
	run       string
	by        wire.By
	manifest  *pack.Manifest
	origins   map[string]string
	scratch   string
	stopped   func() error // why the run is to stop, nil while it is not
	logger    *slog.Logger
	lookFirst bool // the runner was told to look each submit up first
	// unsettled: an earlier runner may have sent a submit. This one may send nothing
	// before it has settled that, which a new INTENT proves.
	unsettled atomic.Bool
}

var _ host.Host = (*door)(nil)

// fromRunner reports whether a runner may write records of this kind.
func fromRunner(kind wire.RecordKind) bool {
	switch kind {
	case wire.RecordResult, wire.RecordIntent, wire.RecordPrepared, wire.RecordOutcome,
		wire.RecordUnknown, wire.RecordReconciled, wire.RecordTimer:
		return true
	}
	return false
}

// maxData bounds the data of one record.
const maxData = 8 << 20

func (d *door) Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error) {
	if err := d.mayWrite(record); err != nil {
		return record, err
	}
	if record.Kind == wire.RecordPrepared && d.unsettled.Load() {
		return record, fault.New(fault.Application, "submit_open", "an earlier submit of this run may have been sent and was not looked up")
	}
	record.Run, record.By = d.run, d.by
	err := d.m.journaled(ctx, record.Kind, func(tx *store.Tx) error {
		if err := d.looksFirst(tx, record.Kind); err != nil {
			return err
		}
		if err := d.maySend(tx, record.Kind); err != nil {
			return err
		}
		written, err := journal.Append(tx, record)
		record = written
		return err
	})
	if err != nil {
		return record, fmt.Errorf("journal %s: %w", record.Kind, err)
	}
	if record.Kind == wire.RecordIntent {
		d.unsettled.Store(false)
	}
	d.m.changed(d.run)
	return record, nil
}

// codeRestored ends a runner that began before the device was restored: its
// successor knows that it must look first.
const codeRestored = "device_restored"

// looksFirst refuses the intent of a runner that does not know that this device
// may have sent what its journal lacks.
func (d *door) looksFirst(tx *store.Tx, kind wire.RecordKind) error {
	if _, on := journal.LookFirst(tx); kind != wire.RecordIntent || d.lookFirst || !on {
		return nil
	}
	return fault.New(fault.Interrupted, codeRestored, "this device was restored; the run goes on in a runner that looks first")
}

// maySend: once the run is to stop no new submit leaves, whatever the runner has
// heard of it. One that may have been sent goes on to its outcome.
func (d *door) maySend(tx *store.Tx, kind wire.RecordKind) error {
	why := d.stopped()
	if why == nil || (kind != wire.RecordIntent && kind != wire.RecordPrepared) {
		return nil
	}
	records, err := journal.Read(tx, d.run)
	if err != nil {
		return err
	}
	if _, open := journal.OpenSubmit(records); open {
		return nil
	}
	return why
}

// mayWrite refuses what a runner may not write.
func (d *door) mayWrite(record wire.JournalRecord) error {
	refused := func(why string) error {
		return fault.New(fault.Refused, "record_refused", "a runner does not write a %s record %s", cut(string(record.Kind)), why)
	}
	var told wire.ReconciledData
	switch k := record.Key; {
	case !fromRunner(record.Kind):
		return refused("at all")
	case len(record.Data) > maxData || len(k.Step)+len(k.Call)+len(record.Args) > maxText:
		return refused("of this size")
	case k.Attempt < 0 || k.Ordinal < 0 || record.MS < 0:
		return refused("with negative numbers")
	case record.Kind == wire.RecordReconciled && (json.Unmarshal(record.Data, &told) != nil || told.By != "probe"):
		return refused("in the name of a person")
	}
	return nil
}

func (d *door) Secret(_ context.Context, name string) (host.Secret, error) {
	if !slices.Contains(d.manifest.Capabilities.Secrets, name) {
		return host.Secret{}, denied("secrets", name)
	}
	var stored vault.Secret
	err := d.m.o.Store.View(func(tx *store.Tx) error {
		var err error
		stored, err = vault.GetSecret(tx, name)
		return err
	})
	if err != nil {
		return host.Secret{}, err
	}
	if origin := d.origins[stored.Site]; origin == "" || origin != stored.Origin {
		return host.Secret{}, fault.New(fault.Refused, "secret_origin", "the secret %s belongs to %s, which this run does not use", name, stored.Origin).
			WithHint("branchbot secret set %s --site SITE", name)
	}
	return host.Secret{Name: name, Origin: stored.Origin, Values: stored.Values}, nil
}

func (d *door) ReadDocument(ctx context.Context, request ocr.Request) (ocr.Document, error) {
	kinds := d.manifest.Capabilities.Documents
	if named := slices.Contains(kinds, request.Kind); !named && (request.Kind != "auto" || len(kinds) == 0) {
		return ocr.Document{}, denied("documents", request.Kind)
	}
	for _, file := range request.Files {
		if filepath.Dir(filepath.Clean(file)) != d.scratch {
			return ocr.Document{}, denied("files", filepath.Base(file))
		}
	}
	read, err := document.Read(ctx, d.m.o.Engine, request)
	if err == nil && !slices.Contains(kinds, read.Kind) {
		return ocr.Document{}, denied("documents", read.Kind)
	}
	return read, err
}

func denied(capability, name string) error {
	return fault.New(fault.Refused, "capability_denied", "the pack does not name %q among its %s", name, capability).
		WithHint("add it to capabilities.%s in pack.yaml and have the pack signed again", capability)
}

// isPicture: what the panel shows of a run can hold no script.
func isPicture(mediaType string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, mediaType)
}

// maxEvidence bounds the pictures of one run.
const maxEvidence = 200

func (d *door) PutEvidence(ctx context.Context, e host.Evidence) (wire.EvidenceRef, error) {
	if !isPicture(e.MediaType) || len(e.Kind)+len(e.Step) > maxText {
		return wire.EvidenceRef{}, fault.New(fault.Refused, "evidence_refused", "evidence of the type %q is not kept", cut(e.MediaType))
	}
	meta := evidence.Meta{Run: d.run, Step: e.Step, Kind: e.Kind, MediaType: e.MediaType}
	ref, err := d.m.o.Evidence.Put(ctx, e.Bytes, meta)
	if err != nil {
		return ref, err
	}
	err = d.m.o.Store.Update(ctx, func(tx *store.Tx) error {
		view, err := journal.GetRun(tx, d.run)
		if err != nil {
			return err
		}
		if len(view.Evidence) >= maxEvidence {
			return fault.New(fault.Application, "evidence_shed", "the run has %d pictures already", maxEvidence)
		}
		view.Evidence = append(view.Evidence, ref)
		return journal.PutRun(tx, view)
	})
	if err != nil {
		return ref, fmt.Errorf("note evidence: %w", err)
	}
	d.m.changed(d.run)
	return ref, nil
}

func (d *door) Observe(event host.Event) {
	if event.Kind == "log" {
		var level slog.Level
		_ = level.UnmarshalText([]byte(event.Level)) // an unknown level is info
		d.logger.Log(context.Background(), level, "script", "step", cut(event.Step), "text", cut(event.Message))
		return
	}
	event.Name = cut(event.Name)
	d.m.observe(d.run, event)
}

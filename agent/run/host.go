package run

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// door is the host.Host of one run. It trusts its runner with nothing: other
// runs, other folders and what the manifest does not name are refused here too.
type door struct {
	m        *Manager
	run      string
	by       wire.By
	manifest *pack.Manifest
	origins  map[string]string
	scratch  string
	logger   *slog.Logger
}

var _ host.Host = (*door)(nil)

// fromRunner are the records that a runner may write.
var fromRunner = []wire.RecordKind{
	wire.RecordResult, wire.RecordIntent, wire.RecordPrepared, wire.RecordOutcome,
	wire.RecordUnknown, wire.RecordReconciled, wire.RecordTimer,
}

func (d *door) Append(ctx context.Context, record wire.JournalRecord) (wire.JournalRecord, error) {
	if !slices.Contains(fromRunner, record.Kind) {
		return record, fault.New(fault.Refused, "record_refused", "a runner does not write %s records", record.Kind)
	}
	record.Run, record.By = d.run, d.by
	err := d.m.o.Store.Update(ctx, func(tx *store.Tx) error {
		written, err := journal.Append(tx, record)
		record = written
		return err
	})
	if err != nil {
		return record, fmt.Errorf("journal %s: %w", record.Kind, err)
	}
	d.m.changed(d.run)
	return record, nil
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
	if request.Kind != "auto" && !slices.Contains(d.manifest.Capabilities.Documents, request.Kind) {
		return ocr.Document{}, denied("documents", request.Kind)
	}
	for _, file := range request.Files {
		if filepath.Dir(filepath.Clean(file)) != d.scratch {
			return ocr.Document{}, denied("files", filepath.Base(file))
		}
	}
	return d.m.readDocument(ctx, request)
}

func denied(capability, name string) error {
	return fault.New(fault.Refused, "capability_denied", "the pack does not name %q among its %s", name, capability).
		WithHint("add it to capabilities.%s in pack.yaml and have the pack signed again", capability)
}

func (d *door) PutEvidence(ctx context.Context, e host.Evidence) (wire.EvidenceRef, error) {
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
		d.logger.Log(context.Background(), level, "script", "step", event.Step, "text", event.Message)
		return
	}
	d.m.observe(d.run, event)
}

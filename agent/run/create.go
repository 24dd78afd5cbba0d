package run

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/packs"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// File is an input file: with its content, or kept before under Digest.
type File struct {
	Name      string
	Bytes     []byte
	Digest    string
	MediaType string
}

// described returns the file with digest and media type of its content.
func (f File) described() File {
	if f.Digest == "" {
		f.Digest, f.MediaType = wire.Digest(f.Bytes), http.DetectContentType(f.Bytes)
	}
	return f
}

// Request asks for a run.
type Request struct {
	Bot     string // name of a bot of this device, or
	Pack    []byte // an unsigned pack
	Values  map[string]json.RawMessage
	Files   map[string]File
	Trigger string
	By      wire.By
	// With is written in the same transaction as START: what asked for the run then
	// knows that it is there. Its error leaves nothing.
	With func(tx *store.Tx) error
}

// Create checks the request and writes the run down: START, its view and, when
// it returns, a run that survives everything. Nothing is started yet.
// Codes: disk_critical, bot_unknown, unsigned_refused, input_…, site_unbound.
func (m *Manager) Create(ctx context.Context, q Request) (wire.Run, error) {
	if m.lines[q.Trigger] == nil {
		return wire.Run{}, fault.New(fault.Usage, "trigger_unknown", "%q is no trigger of a run", q.Trigger).
			WithHint("one of manual, schedule, api, command")
	}
	if err := m.admit(); err != nil {
		return wire.Run{}, err
	}
	bot, trust, err := m.choose(q)
	if err != nil {
		return wire.Run{}, err
	}
	id := wire.NewID(wire.RunPrefix)
	inputs, err := m.inputs(ctx, id, bot.Manifest, q)
	if err != nil {
		return wire.Run{}, err
	}
	origins, err := m.origins(bot.Manifest)
	if err != nil {
		return wire.Run{}, err
	}
	now := m.o.Now()
	view := journal.Describe(nil) // empty lists
	view.Run, view.Bot, view.Version, view.Digest = id, bot.Manifest.Name, bot.Manifest.Version, bot.Digest
	view.Trust, view.Trigger, view.State, view.Origins, view.By = trust, q.Trigger, wire.Queued, origins, q.By
	view.BusinessDate, view.Started, view.MinutesSaved = now.Local().Format(time.DateOnly), now.UTC(), bot.Manifest.MinutesSaved
	err = m.journaled(ctx, wire.RecordStart, func(tx *store.Tx) error {
		if err := m.writeStart(tx, &view, inputs); err != nil || q.With == nil {
			return err
		}
		return q.With(tx)
	})
	if err != nil {
		return wire.Run{}, fmt.Errorf("write run down: %w", err)
	}
	m.publish(view)
	return view, nil
}

func (m *Manager) admit() error {
	if m.o.Admit == nil {
		return nil
	}
	return m.o.Admit()
}

func (m *Manager) writeStart(tx *store.Tx, view *wire.Run, inputs json.RawMessage) error {
	data, err := json.Marshal(wire.StartData{
		Bot: view.Bot, Version: view.Version, Digest: view.Digest, Trust: view.Trust,
		Trigger: view.Trigger, Inputs: inputs, Origins: view.Origins,
	})
	if err != nil {
		return fmt.Errorf("encode start: %w", err)
	}
	if _, err := journal.Append(tx, wire.JournalRecord{Run: view.Run, Kind: wire.RecordStart, Data: data, By: view.By}); err != nil {
		return err
	}
	return journal.PutRun(tx, *view)
}

func (m *Manager) choose(q Request) (*pack.Pack, string, error) {
	if q.Pack == nil {
		bot, err := m.o.Packs.Find(q.Bot)
		return bot, packs.Embedded, err
	}
	if err := m.mayRun(packs.Unsigned); err != nil {
		return nil, "", err
	}
	bot, err := m.o.Packs.Keep(q.Pack)
	return bot, packs.Unsigned, err
}

// mayRun refuses unsigned packs on an enrolled device, also those of runs that
// were written down before it was enrolled. Code unsigned_refused.
func (m *Manager) mayRun(trust string) error {
	if trust != packs.Unsigned || m.o.Config.AllowUnsigned {
		return nil
	}
	err := m.o.Store.View(func(tx *store.Tx) error {
		_, err := vault.GetIdentity(tx)
		return err
	})
	switch {
	case fault.HasCode(err, "not_enrolled"):
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.Refused, "unsigned_refused", "this device is enrolled and runs only the packs that came with branchbot").
		WithHint("ask the device's owner for `allow_unsigned: true`, or try the pack on a device that is not enrolled")
}

// origins binds the pack's sites: the device's configuration, then what was set
// on the device.
func (m *Manager) origins(manifest *pack.Manifest) (map[string]string, error) {
	origins := map[string]string{}
	for _, site := range manifest.Capabilities.Sites {
		origin, err := m.Origin(site)
		if fault.HasCode(err, "site_unknown") {
			return nil, fault.New(fault.Usage, "site_unbound", "the bot %s needs the site %q, and no address is set for it here", manifest.Name, site).
				WithHint("branchbot site set %s https://…", site).WithFact("site", site)
		}
		if err != nil {
			return nil, fmt.Errorf("read site %s: %w", site, err)
		}
		origins[site] = origin
	}
	return origins, nil
}

// Origin returns what a site name stands for on this device; code site_unknown.
func (m *Manager) Origin(site string) (string, error) {
	if configured := m.o.Config.Sites[site]; configured != "" {
		return vault.Origin(configured)
	}
	var bound vault.Site
	err := m.o.Store.View(func(tx *store.Tx) error {
		var err error
		bound, err = vault.GetSite(tx, site)
		return err
	})
	return bound.Origin, err
}

// inputs stores the files and checks every value against the manifest.
func (m *Manager) inputs(ctx context.Context, run string, manifest *pack.Manifest, q Request) (json.RawMessage, error) {
	values := map[string]any{}
	for name, raw := range q.Values {
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fault.New(fault.Usage, "input_invalid", "input %s is not JSON: %w", name, err)
		}
		values[name] = value
	}
	for name, file := range q.Files {
		file = file.described()
		values[name] = modules.File{Name: file.Name, Digest: file.Digest, MediaType: file.MediaType}
	}
	parsed, err := manifest.Inputs.Parse(values)
	if err != nil {
		return nil, err
	}
	for name, file := range q.Files {
		if file.Bytes == nil {
			continue // kept before
		}
		meta := evidence.Meta{Run: run, Kind: "input", MediaType: file.described().MediaType}
		if _, err := m.o.Evidence.Put(ctx, file.Bytes, meta); err != nil {
			return nil, fmt.Errorf("keep input %s: %w", name, err)
		}
	}
	return json.Marshal(parsed)
}

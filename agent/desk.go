package agent

import (
	"context"

	"branchbot/agent/control"
	"branchbot/agent/evidence"
	"branchbot/agent/packs"
	"branchbot/agent/panel"
	"branchbot/agent/run"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// desk is what the panel sees of the agent.
type desk struct{ *Agent }

var _ panel.Backend = (*desk)(nil)

// Bots lists the embedded packs.
func (d *desk) Bots(context.Context) ([]panel.Bot, error) {
	var bots []panel.Bot
	for _, p := range d.packs.Shipped() {
		bots = append(bots, panel.Bot{Manifest: p.Manifest, Trust: packs.Embedded})
	}
	return bots, nil
}

// Keep stores an uploaded file.
func (d *desk) Keep(ctx context.Context, file panel.File) (string, error) {
	ref, err := d.evidence.Put(ctx, file.Bytes, evidence.Meta{Kind: "input", MediaType: file.MediaType})
	return ref.Digest, err
}

// Start writes a run down and starts it when its turn comes.
func (d *desk) Start(ctx context.Context, start panel.Start) (string, error) {
	files := map[string]run.File{}
	for name, ref := range start.Files {
		files[name] = run.File{Name: ref.Name, Digest: ref.Digest, MediaType: ref.MediaType}
	}
	view, err := d.runs.Create(ctx, run.Request{
		Bot: start.Bot, Values: start.Values, Files: files, Trigger: run.TriggerManual, By: start.By,
	})
	if err != nil {
		return "", err
	}
	d.runs.Go(view.Run, view.Trigger)
	return view.Run, nil
}

// Runs lists the newest runs first.
func (d *desk) Runs(_ context.Context, limit int) ([]wire.Run, error) { return d.runs.List(limit) }

// Watch sends the run now and after every change until it is over.
func (d *desk) Watch(ctx context.Context, id string) (<-chan wire.Run, error) {
	updates, leave := d.runs.Watch(id)
	view, err := d.runs.Get(id)
	if err != nil {
		leave()
		return nil, err
	}
	out := make(chan wire.Run)
	go func() { // ends with ctx, which is the page's request
		defer leave()
		defer close(out)
		for {
			select {
			case out <- view:
			case <-ctx.Done():
				return
			}
			if view.State.Final() {
				return
			}
			select {
			case view = <-updates:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// Cancel asks a run to stop.
func (d *desk) Cancel(ctx context.Context, id string, by wire.By) error {
	return d.runs.Cancel(ctx, id, by)
}

// Answer records what a person decided; the run then goes on.
func (d *desk) Answer(ctx context.Context, id string, answer panel.Answer) error {
	in := control.Answer{Run: id, By: answer.By}
	switch answer.Decision {
	case panel.DecisionSubmitted:
		in.Submitted = answer.Reference
	case panel.DecisionNotSubmitted:
		in.NotSubmitted = true
	case panel.DecisionCancel:
		in.NotSubmitted, in.Cancel = true, true
	default:
		return fault.New(fault.Usage, "answer_invalid", "unknown decision %q", answer.Decision)
	}
	_, err := d.Agent.Answer(ctx, in)
	return err
}

// Run returns one run.
func (d *desk) Run(_ context.Context, id string) (wire.Run, error) { return d.runs.Get(id) }

// Evidence returns a picture that this run's record names.
func (d *desk) Evidence(ctx context.Context, id, digest string) (panel.Picture, error) {
	view, err := d.runs.Get(id)
	if err != nil {
		return panel.Picture{}, err
	}
	for _, ref := range view.Evidence {
		if ref.Digest == digest {
			content, err := d.evidence.Get(ctx, digest)
			return panel.Picture{MediaType: ref.MediaType, Bytes: content}, err
		}
	}
	return panel.Picture{}, fault.New(fault.Usage, "evidence_unknown", "the run %s has no evidence %s", id, digest)
}

// Status is the device in one glance.
func (d *desk) Status(ctx context.Context) panel.Status {
	state, err := d.Outbox(ctx, control.Nothing{})
	if err != nil {
		d.o.Logger.Warn("outbox could not be read", "error", err)
	}
	reach := map[string]string{"online": panel.Online, "offline": panel.Offline}[state.HeadOffice]
	if reach == "" {
		reach = panel.NotEnrolled
	}
	return panel.Status{HeadOffice: reach, Waiting: int(state.Waiting), AllowUnsigned: d.o.Config.AllowUnsigned, Disk: state.Disk}
}

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"branchbot/agent/control"
	"branchbot/agent/outbox"
	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/agent/uplink"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

var _ control.Operator = (*Agent)(nil)

// Trigger writes a run down and, in the daemon, starts it when its turn comes.
// Without a daemon it stays queued until one starts.
func (a *Agent) Trigger(ctx context.Context, in control.Trigger) (wire.Run, error) {
	view, err := a.runs.Create(ctx, request(in))
	if err == nil && a.serving.Load() {
		a.runs.Go(view.Run, view.Trigger)
	}
	return view, err
}

func request(in control.Trigger) run.Request {
	files := map[string]run.File{}
	for name, file := range in.Files {
		files[name] = run.File{Name: file.Name, Bytes: file.Bytes}
	}
	return run.Request{Bot: in.Bot, Pack: in.Pack, Values: in.Values, Files: files, Trigger: in.Trigger, By: in.By}
}

// RunNow runs in the foreground, without a daemon, and returns how it ended.
func (a *Agent) RunNow(ctx context.Context, in control.Trigger) (wire.Run, error) {
	view, err := a.runs.Create(ctx, request(in))
	if err != nil {
		return wire.Run{}, err
	}
	return a.runs.Execute(ctx, view.Run, run.Manner{Headed: in.Headed})
}

// Resume goes on with an interrupted run, from its journal: in the foreground, or
// in the daemon when its turn comes. It returns when the run is over or needs a person.
func (a *Agent) Resume(ctx context.Context, in control.Resume) (wire.Run, error) {
	again, err := a.runs.Resumable(ctx, in.Run)
	switch {
	case err != nil:
		return wire.Run{}, err
	case a.serving.Load():
		if again {
			view, err := a.runs.Get(in.Run)
			if err != nil {
				return wire.Run{}, err
			}
			a.runs.Go(in.Run, view.Trigger)
		}
		return a.runs.Await(ctx, in.Run)
	case !again:
		return a.runs.Get(in.Run)
	}
	return a.runs.Execute(ctx, in.Run, run.Manner{Headed: in.Headed})
}

// Watch follows one run; leave must be called.
func (a *Agent) Watch(id string) (updates <-chan wire.Run, leave func()) { return a.runs.Watch(id) }

// Runs lists runs, newest first.
func (a *Agent) Runs(_ context.Context, in control.RunsQuery) ([]wire.Run, error) {
	return a.runs.List(in.Limit)
}

// Run shows one run; code run_unknown.
func (a *Agent) Run(_ context.Context, id string) (wire.Run, error) { return a.runs.Get(id) }

// Await returns when the run is over or needs a person.
func (a *Agent) Await(ctx context.Context, id string) (wire.Run, error) { return a.runs.Await(ctx, id) }

// Cancel asks a run to stop.
func (a *Agent) Cancel(ctx context.Context, in control.Cancel) (wire.Run, error) {
	if err := a.runs.Cancel(ctx, in.Run, in.By); err != nil {
		return wire.Run{}, err
	}
	return a.runs.Get(in.Run)
}

// Answer takes what a person decided; in the daemon the run then goes on.
func (a *Agent) Answer(ctx context.Context, in control.Answer) (wire.Run, error) {
	view, err := a.runs.Answer(ctx, in)
	if err == nil && view.State == wire.Queued && a.serving.Load() {
		a.runs.Go(view.Run, view.Trigger)
	}
	return view, err
}

// Outbox tells how the line to head office stands.
func (a *Agent) Outbox(context.Context, control.Nothing) (control.Outbox, error) {
	var status outbox.Status
	line := "not enrolled"
	err := a.store.View(func(tx *store.Tx) error {
		if _, err := vault.GetIdentity(tx); err == nil {
			line = "offline"
		}
		var err error
		status, err = outbox.Read(tx)
		return err
	})
	if a.uplink.Online() {
		line = "online"
	}
	told := told(status)
	told.HeadOffice, told.Disk = line, string(a.space.Level())
	damage, problem := a.store.Quarantined()
	told.Database = control.Database{Damage: damage, Restored: a.store.Restored(), Snapshots: a.store.Copies()}
	return told, errors.Join(err, problem)
}

// told is the line's status as commands print it.
func told(status outbox.Status) control.Outbox {
	out := control.Outbox{
		Waiting: uint64(status.Waiting), Oldest: status.Oldest, AcknowledgedSeq: status.AcknowledgedSeq, Epoch: status.Epoch,
		Incarnation: status.Incarnation, FormerEpochs: []control.FormerEpoch{}, Events: []control.LineEvent{},
	}
	for _, former := range status.Former {
		out.FormerEpochs = append(out.FormerEpochs, control.FormerEpoch{Epoch: former.Epoch, Waiting: uint64(former.Waiting)})
	}
	for _, event := range status.Events {
		out.Events = append(out.Events, control.LineEvent{At: event.At, Kind: event.Kind, Detail: event.Detail})
	}
	if r := status.Refusal; r != nil {
		out.Halted = &control.Halted{Code: r.Code, Message: r.Message, Hint: r.Hint, Since: r.Since}
	}
	return out
}

// enrollable returns the identity that an enrolment would replace. A device that
// head office does not let in any more may enrol again. Code: already_enrolled.
func (a *Agent) enrollable() (earlier vault.Identity, err error) {
	err = a.store.View(func(tx *store.Tx) error {
		status, err := outbox.Read(tx)
		if err != nil {
			return err
		}
		earlier, err = vault.GetIdentity(tx)
		switch {
		case fault.HasCode(err, "not_enrolled"):
			return nil
		case err == nil && status.Refusal == nil:
			return alreadyEnrolled("enrol")
		}
		return err
	})
	return earlier, err
}

// Enroll binds this device to a head office; code already_enrolled. Enrolling
// again ends a halt and begins a new epoch.
func (a *Agent) Enroll(ctx context.Context, in control.Enroll) (control.Enrolled, error) {
	earlier, err := a.enrollable()
	if err != nil {
		return control.Enrolled{}, err
	}
	in.Token = strings.TrimSpace(in.Token)
	key, err := a.enrolmentKey(ctx, in)
	if err != nil {
		return control.Enrolled{}, err
	}
	identity, err := uplink.Enrol(ctx, in.HeadOffice, in.Token, key,
		uplink.About{Hostname: a.o.Hostname, Version: a.o.Version, Proxy: a.o.Config.Proxy})
	if err != nil {
		return control.Enrolled{}, err
	}
	identity.Enrolled = a.o.Now().UTC()
	err = a.store.Update(ctx, func(tx *store.Tx) error {
		before, err := vault.GetIdentity(tx)
		if err == nil && before.Device != identity.Device && before.Certificate != earlier.Certificate {
			return alreadyEnrolled("enrol") // by another call in the meantime
		}
		return errors.Join(vault.PutIdentity(tx, identity), vault.DeletePending(tx), outbox.Adopt(tx, identity.Device))
	})
	if err != nil {
		return control.Enrolled{}, fmt.Errorf("keep identity: %w", err)
	}
	a.uplink.Wake()
	expires, err := uplink.Expiry(identity)
	return control.Enrolled{Device: identity.Device, HeadOffice: identity.HeadOffice, Expires: expires}, err
}

// enrolmentKey is the key with which this device asks under a token. It is on the
// disk before head office hears of it: whoever has to ask again (the reply was
// lost, a person must approve the device first) asks with the same key.
func (a *Agent) enrolmentKey(ctx context.Context, in control.Enroll) (key string, err error) {
	if err := uplink.Check(in.HeadOffice, in.Token); err != nil {
		return "", err
	}
	err = a.store.Update(ctx, func(tx *store.Tx) error {
		key, err = vault.PendingKey(tx, in.Token, uplink.NewKey)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("keep device key: %w", err)
	}
	return key, nil
}

// notEnrolled refuses what head office decides once it has the device.
func (a *Agent) notEnrolled(what string) error {
	err := a.store.View(func(tx *store.Tx) error {
		_, err := vault.GetIdentity(tx)
		return err
	})
	if err == nil {
		return alreadyEnrolled(what)
	}
	if fault.HasCode(err, "not_enrolled") {
		return nil
	}
	return err
}

func alreadyEnrolled(what string) error {
	return fault.New(fault.Refused, "already_enrolled", "this device is enrolled, cannot %s here", what).
		WithHint("head office decides this for an enrolled device")
}

// SetSecret stores a secret for a site that is bound. A value that is a JSON
// object of texts has named parts; any other is the one part "value".
func (a *Agent) SetSecret(ctx context.Context, in control.Secret) (control.Nothing, error) {
	origin, err := a.runs.Origin(in.Site)
	if err != nil {
		return control.Nothing{}, fmt.Errorf("bind secret %s: %w", in.Name, err)
	}
	secret := vault.Secret{Name: in.Name, Site: in.Site, Origin: origin, Values: parts(in.Value), Set: a.o.Now().UTC()}
	err = a.store.Update(ctx, func(tx *store.Tx) error { return vault.PutSecret(tx, secret) })
	return control.Nothing{}, err
}

func parts(value string) vault.Values {
	named := vault.Values{}
	if json.Unmarshal([]byte(value), &named) == nil && len(named) > 0 {
		return named
	}
	return vault.Values{"value": value}
}

// Secrets lists names and sites, never values.
func (a *Agent) Secrets(context.Context, control.Nothing) ([]control.Secret, error) {
	list := []control.Secret{}
	err := a.store.View(func(tx *store.Tx) error {
		stored, err := vault.ListSecrets(tx)
		for _, s := range stored {
			list = append(list, control.Secret{Name: s.Name, Site: s.Site})
		}
		return err
	})
	return list, err
}

// DeleteSecret forgets a secret; code secret_unknown.
func (a *Agent) DeleteSecret(ctx context.Context, name string) (control.Nothing, error) {
	return control.Nothing{}, a.store.Update(ctx, func(tx *store.Tx) error { return vault.DeleteSecret(tx, name) })
}

// SetSite binds a site name on a device that is not enrolled.
func (a *Agent) SetSite(ctx context.Context, in control.Site) (control.Nothing, error) {
	if err := a.notEnrolled("bind sites"); err != nil {
		return control.Nothing{}, err
	}
	return control.Nothing{}, a.store.Update(ctx, func(tx *store.Tx) error {
		return vault.PutSite(tx, vault.Site{Name: in.Name, Origin: in.Origin})
	})
}

// Sites lists what site names stand for; the configuration goes before what was
// set on the device.
func (a *Agent) Sites(context.Context, control.Nothing) ([]control.Site, error) {
	list := []control.Site{}
	err := a.store.View(func(tx *store.Tx) error {
		bound, err := vault.ListSites(tx)
		for _, s := range bound {
			if a.o.Config.Sites[s.Name] == "" {
				list = append(list, control.Site{Name: s.Name, Origin: s.Origin})
			}
		}
		return err
	})
	for name, origin := range a.o.Config.Sites {
		list = append(list, control.Site{Name: name, Origin: origin})
	}
	return list, err
}

// DeleteSite unbinds a site name on a device that is not enrolled.
func (a *Agent) DeleteSite(ctx context.Context, name string) (control.Nothing, error) {
	if err := a.notEnrolled("unbind sites"); err != nil {
		return control.Nothing{}, err
	}
	return control.Nothing{}, a.store.Update(ctx, func(tx *store.Tx) error { return vault.DeleteSite(tx, name) })
}

// Package submit is what every module that submits shares (form.submit,
// http.submit): the manifest's rule, the business key, the probe, the outcome,
// and the look-up of what an earlier runner may have sent. The sending itself is
// package guard's.
package submit

import (
	"context"
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Request is one submit as a script asks for it.
type Request struct {
	Call     guard.Call // Values are the caller's to give
	recorder guard.Recorder
	scope    modules.Scope
}

// New reads what a script gave to submit in a step: name (or the only one of the
// manifest), key and probe. done runs after each look-up, to close what it left
// open. Codes: submit_unknown, key, probe.
func New(rt modules.Runtime, thread *starlark.Thread, scope modules.Scope, name string, key, probe starlark.Value, done func()) (*Request, error) {
	rule, err := ruleOf(rt, name)
	if err != nil {
		return nil, err
	}
	parts, err := keyParts(key)
	if err != nil {
		return nil, err
	}
	look, err := topLevel(rt, probe)
	if err != nil {
		return nil, err
	}
	r := &Request{scope: scope}
	r.Call = guard.Call{Submit: rule, Key: parts, LookFirst: rt.Start().LookFirst}
	r.recorder = naming{Recorder: r.scope}
	if look != nil {
		r.recorder = naming{r.scope, look.Name()}
		r.Call.Probe = probing(rt, thread, look, parts, done)
	}
	return r, nil
}

// Send hands the submit to the run's guard and its receipt to the step.
func (r *Request) Send(ctx context.Context, proxy *guard.Proxy, driver guard.Driver) (starlark.Value, error) {
	if err := r.scope.ClaimSubmit(); err != nil {
		return nil, err
	}
	result, err := proxy.Submit(ctx, r.Call, driver, r.recorder)
	if err != nil {
		return nil, err
	}
	r.scope.Submitted(result.Receipt)
	return receiptValue(result.Receipt), nil
}

// ruleOf finds the submit in the manifest: by name, or the only one.
func ruleOf(rt modules.Runtime, name string) (*pack.Submit, error) {
	submits := rt.Pack().Manifest.Submits
	names := slices.Sorted(maps.Keys(submits))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if rule, ok := submits[name]; ok {
		return rule, nil
	}
	return nil, fault.New(fault.Usage, "submit_unknown", "the manifest has no submit %q (it has %v)", name, names).
		WithHint("submit(\"name\", …) takes a name of submits in pack.yaml")
}

func keyParts(key starlark.Value) ([]string, error) {
	list, ok := key.(starlark.Iterable)
	if !ok {
		return nil, fault.New(fault.Usage, "key", "the business key is a list, not %s", key.Type())
	}
	parts, err := Texts(list)
	if err == nil && len(parts) == 0 {
		err = fault.New(fault.Usage, "key", "the business key is empty")
	}
	return parts, err
}

// naming is a step's recorder that writes into the intent which function looks
// the record up, so that another runner can ask it.
type naming struct {
	guard.Recorder
	probe string
}

// Record journals one record of the submit.
func (n naming) Record(ctx context.Context, kind wire.RecordKind, data any) error {
	if intent, ok := data.(wire.IntentData); ok {
		intent.Probe = n.probe
		data = intent
	}
	return n.Recorder.Record(ctx, kind, data)
}

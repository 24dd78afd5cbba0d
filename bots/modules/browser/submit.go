package browser

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// submit is form.submit: the step's one guarded submit.
func (f form) submit(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, button string
	var key, probe starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name??", &name, "key", &key, "probe??", &probe, "button??", &button); err != nil {
		return nil, err
	}
	p := f.page
	rule, err := p.m.rule(name)
	if err != nil {
		return nil, err
	}
	parts, err := keyParts(key)
	if err != nil {
		return nil, err
	}
	look, err := p.m.probe(thread, probe, parts)
	if err != nil {
		return nil, err
	}
	lookName, err := p.m.topLevel(probe)
	if err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	if err := p.scope.ClaimSubmit(); err != nil {
		return nil, err
	}
	call := guard.Call{Submit: rule, Key: parts, Values: maps.Clone(p.values), Probe: look, Settle: rule.Settle, Deadline: p.m.deadline}
	return p.send(call, &driver{page: p, form: f.title, button: button}, naming{p.scope, lookName})
}

// send hands the submit to the guard and its outcome to the step.
func (p *page) send(call guard.Call, d *driver, recorder guard.Recorder) (starlark.Value, error) {
	ctx := p.m.rt.Context()
	result, err := p.m.proxy.Submit(ctx, call, d, recorder)
	d.finish()
	if err == nil {
		err = outcome(result)
	}
	if err != nil {
		if trouble := p.tab.trouble(); trouble != nil {
			return nil, fmt.Errorf("%w (%w)", err, trouble)
		}
		return nil, err
	}
	p.values, p.filled = map[string]string{}, nil
	p.scope.Submitted(result.Receipt)
	return dict(result.Receipt, slices.Sorted(maps.Keys(result.Receipt)))
}

// outcome is the fault of a submit that did not succeed, should the guard have
// told it in the result only.
func outcome(r guard.Result) error {
	switch r.State {
	case wire.SubmitAcknowledged, wire.SubmitAlreadyThere:
		return nil
	case wire.SubmitRejected:
		return fault.New(fault.Business, "rejected", "%s", r.Message)
	case wire.SubmitInDoubt:
		return fault.New(fault.Waiting, "in_doubt", "it is not known whether the site has it").WithHint("a person looks it up: branchbot answer")
	default:
		return fault.New(fault.Application, "submit_"+r.State, "the submit ended %s %s", r.State, r.Reason)
	}
}

// rule finds the submit in the manifest: by name, or the only one.
func (m *module) rule(name string) (*pack.Submit, error) {
	submits := m.rt.Pack().Manifest.Submits
	names := slices.Sorted(maps.Keys(submits))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if rule, ok := submits[name]; ok {
		return rule, nil
	}
	return nil, fault.New(fault.Usage, "submit_unknown", "the manifest has no submit %q (it has %v)", name, names).
		WithHint("form.submit(\"name\", …) takes a name of submits in pack.yaml")
}

func keyParts(key starlark.Value) ([]string, error) {
	list, ok := key.(starlark.Iterable)
	if !ok {
		return nil, fault.New(fault.Usage, "key", "the business key is a list, not %s", key.Type())
	}
	parts, err := texts(list)
	if err == nil && len(parts) == 0 {
		err = fault.New(fault.Usage, "key", "the business key is empty")
	}
	return parts, err
}

// probe wraps the script's look-up: it may only read while it runs, and its
// pages are closed after it.
func (m *module) probe(thread *starlark.Thread, value starlark.Value, key []string) (guard.Probe, error) {
	if value == nil || value == starlark.None {
		return nil, nil
	}
	look, ok := value.(starlark.Callable)
	if !ok {
		return nil, fault.New(fault.Usage, "probe", "probe is a function, not %s", value.Type())
	}
	parts := make([]starlark.Value, len(key))
	for i, part := range key {
		parts[i] = starlark.String(part)
	}
	return func(context.Context) (map[string]string, bool, error) {
		defer m.proxy.BeginReading()()
		before := len(m.pages)
		defer m.closeFrom(before)
		found, err := m.rt.Call(thread, look, starlark.NewList(parts))
		if err != nil {
			return nil, false, err
		}
		return seen(found)
	}, nil
}

// topLevel is the name of a probe. After a crash another runner must find it.
func (m *module) topLevel(probe starlark.Value) (string, error) {
	look, ok := probe.(starlark.Callable)
	if !ok {
		return "", nil
	}
	if global, ok := m.rt.Global(look.Name()); !ok || global != look {
		return "", fault.New(fault.Usage, "probe", "the probe %s is no top-level function of the script", look.Name()).
			WithHint("define it with def at the top of main.star")
	}
	return look.Name(), nil
}

// seen reads a probe's answer.
func seen(found starlark.Value) (map[string]string, bool, error) {
	switch v := found.(type) {
	case starlark.NoneType:
		return nil, false, nil
	case *starlark.Dict:
		values, err := receipt(v)
		return values, err == nil, err
	}
	return nil, false, fault.New(fault.Usage, "probe", "a probe returns a dict or None, not %s", found.Type())
}

func (m *module) closeFrom(count int) {
	for len(m.pages) > count {
		m.drop(m.pages[len(m.pages)-1])
	}
}

// settle waits for the page to be quiet and looks at every filled field again:
// pages that redraw after they are visible lose values without an error.
func (p *page) settle() error {
	ctx := p.m.rt.Context()
	if err := p.quiet(ctx); err != nil {
		return err
	}
	for _, plan := range p.filled {
		if _, err := p.put(ctx, plan); err != nil {
			return fmt.Errorf("look at the form again: %w", err)
		}
	}
	return nil
}

// driver presses the button of a page for the guard.
type driver struct {
	page   *page
	form   string
	button string
	stop   context.CancelFunc
	work   sync.WaitGroup
}

var _ guard.Driver = (*driver)(nil)

// Press presses the submit button, and goes on watching for a box that asks back.
func (d *driver) Press(ctx context.Context) error {
	p := d.page
	if err := p.closePopups(ctx); err != nil {
		return err
	}
	var at spot
	if err := p.tab.ask(ctx, &at, "submitButton", d.form, d.button, p.m.patience.Milliseconds()); err != nil {
		return fmt.Errorf("find submit button: %w", err)
	}
	if err := at.err(); err != nil {
		return err
	}
	if err := p.tab.press(ctx, at); err != nil {
		return fmt.Errorf("press submit button: %w", err)
	}
	if err := p.tab.trouble(); err != nil {
		return err // the page asked, and was told no
	}
	d.finish()
	watch, stop := context.WithCancel(p.m.rt.Context())
	d.stop = stop
	d.work.Go(func() { d.confirm(watch) })
	return nil
}

// confirm presses the first button of one confirmation box, if one shows.
func (d *driver) confirm(ctx context.Context) {
	const limit = 10 * time.Second
	var at *spot
	if err := d.page.tab.eval(ctx, &at, "confirmation", limit.Milliseconds()); err != nil || at == nil || at.Fault != nil {
		return // no box, or the page went on: the guard sees whether anything was sent
	}
	if err := d.page.tab.press(ctx, *at); err != nil {
		d.page.m.rt.Logger().DebugContext(ctx, "press confirmation", "error", err)
	}
}

// finish ends the watch for a confirmation box.
func (d *driver) finish() {
	if d.stop != nil {
		d.stop()
	}
	d.work.Wait()
}

// Picture keeps what the page shows.
func (d *driver) Picture(ctx context.Context, kind string) { d.page.picture(ctx, kind) }

// Abandon closes the page.
func (d *driver) Abandon(ctx context.Context) {
	d.finish()
	d.page.tab.close(context.WithoutCancel(ctx))
}

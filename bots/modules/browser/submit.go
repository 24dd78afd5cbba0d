package browser

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules/submit"
	"branchbot/internal/fault"
)

// submit is form.submit: the step's one guarded submit.
func (f form) submit(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, button string
	var key, probe starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name??", &name, "key", &key, "probe??", &probe, "button??", &button); err != nil {
		return nil, err
	}
	p := f.page
	request, err := submit.New(p.m.rt, thread, p.scope, name, key, probe, p.m.closing())
	if err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	request.Call.Values, request.Call.Deadline = maps.Clone(p.values), p.m.deadline
	d := &driver{page: p, form: f.title, button: button}
	receipt, err := request.Send(p.m.rt.Context(), p.m.proxy, d)
	d.finish()
	if err == nil {
		p.values, p.filled = map[string]string{}, nil
	}
	return receipt, err
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
	over   func() // the page may no longer be left
	work   sync.WaitGroup
}

var (
	_ guard.Driver = (*driver)(nil)
	_ guard.Mortal = (*driver)(nil)
)

// Page ends when the page crashes, falls silent or goes with its browser.
func (d *driver) Page() context.Context { return d.page.tab.gone }

// Press presses the submit button, and goes on watching for a box that asks back.
func (d *driver) Press(ctx context.Context) error {
	p := d.page
	d.finish()
	d.over = p.tab.act()
	asked := p.tab.dialogs()
	if _, err := p.closePopups(ctx); err != nil {
		return err
	}
	if err := p.patiently(ctx, func() error { return d.press(ctx) }); err != nil {
		return err
	}
	if p.tab.dialogs() > asked {
		return fault.New(fault.Application, "dialog_unexpected", "the page asked before it sent anything, and was told no: %s", p.tab.lastDialog()).
			WithHint("list its text under on_popup in pack.yaml if it may be accepted").Retry()
	}
	watch, stop := context.WithCancel(p.m.rt.Context())
	d.stop = stop
	d.work.Go(func() { d.confirm(watch) })
	return nil
}

func (d *driver) press(ctx context.Context) error {
	p := d.page
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
	p.m.rt.Logger().DebugContext(ctx, "submit button pressed", "step", p.path)
	return p.landed(ctx)
}

// confirm presses the first button of one confirmation box, if one shows.
func (d *driver) confirm(ctx context.Context) {
	const limit = 10 * time.Second
	var at *spot
	if err := d.page.tab.once(ctx, &at, "confirmation", limit.Milliseconds()); err != nil || at == nil || at.Fault != nil {
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
	if d.over != nil {
		d.over()
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

package browser

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

// seconds is a script's timeout.
func (m *module) seconds(value starlark.Value) (time.Duration, error) {
	if value == nil || value == starlark.None {
		return m.patience, nil
	}
	number, ok := starlark.AsFloat(value)
	if !ok || number <= 0 || number > 600 {
		return 0, fault.New(fault.Usage, "timeout", "timeout is a number of seconds up to 600, not %s", value)
	}
	return time.Duration(number * float64(time.Second)), nil
}

// answer is what our script in the page says to a question.
type answer struct {
	spot
	Text  string        `json:"text"`
	Count int           `json:"count"`
	Rows  [][][2]string `json:"rows"` // cells with their headers, in order

	Document float64 `json:"document"` // tells one document from the next
}

// question asks the page until it has an answer or the time is over, listed
// pop-ups out of the way. Rounds are short: a call has a limit of its own, and
// a pop-up may show at any time.
func (p *page) question(limit time.Duration, name string, args ...any) (answer, error) {
	const round = 5 * time.Second
	ctx, end := p.m.rt.Context(), time.Now().Add(limit)
	for {
		if _, err := p.closePopups(ctx); err != nil {
			return answer{}, err
		}
		left := max(min(time.Until(end), round), 0)
		var got answer
		err := p.tab.ask(ctx, &got, name, append(slices.Clone(args), left.Milliseconds())...)
		switch {
		case err != nil:
			return answer{}, err
		case got.Fault == nil:
			return got, nil
		case got.Fault.Code == "not_found" && time.Until(end) > 0:
		case !p.cleared(ctx, got.Fault.err()):
			return answer{}, got.Fault.err()
		}
	}
}

func (p *page) visitScript(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var path string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "path", &path); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return nil, fault.New(fault.Usage, "address", "%q is no path of this site", path).WithHint("a path begins with /; another site needs browser.open")
	}
	to := address{site: p.at.site, origin: p.at.origin, path: path}
	p.at = to
	state, err := p.visit(p.m.rt.Context(), to.url())
	if err != nil {
		return nil, err
	}
	return starlark.None, state.ok(to)
}

func (p *page) click(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var text string
	var timeout starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "text", &text, "timeout?", &timeout); err != nil {
		return nil, err
	}
	limit, err := p.m.seconds(timeout)
	if err != nil {
		return nil, err
	}
	ctx, begun := p.m.rt.Context(), p.m.proxy.Requests()
	defer p.tab.act()()
	err = p.patiently(ctx, func() error {
		at, err := p.question(limit, "target", text)
		if err != nil {
			return err
		}
		p.pressed = at.Document
		return p.press(ctx, at.spot)
	})
	if err != nil {
		return nil, err
	}
	starts, cancel := context.WithTimeout(ctx, startsWithin) // what the press starts, starts now
	defer cancel()
	if err := p.m.proxy.Began(starts, begun); err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := p.calm(ctx); err != nil {
		return nil, err
	}
	return starlark.None, nil
}

func (p *page) text(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	got, err := p.read(b, args, kwargs, "text")
	return starlark.String(p.m.redact(got.Text)), err
}

func (p *page) table(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	got, err := p.read(b, args, kwargs, "table")
	if err != nil {
		return nil, err
	}
	rows := make([]starlark.Value, len(got.Rows))
	for i, row := range got.Rows {
		dict := starlark.NewDict(len(row))
		for _, cell := range row {
			if err := dict.SetKey(starlark.String(cell[0]), starlark.String(p.m.redact(cell[1]))); err != nil {
				return nil, err
			}
		}
		rows[i] = dict
	}
	return starlark.NewList(rows), nil
}

// read asks for something at a selector.
func (p *page) read(b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple, name string) (answer, error) {
	var selector string
	var timeout starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "selector??", &selector, "timeout?", &timeout); err != nil {
		return answer{}, err
	}
	limit, err := p.m.seconds(timeout)
	if err != nil {
		return answer{}, err
	}
	return p.question(limit, name, selector)
}

func (p *page) count(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var selector string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "selector", &selector); err != nil {
		return nil, err
	}
	got, err := p.question(0, "count", selector)
	return starlark.MakeInt(got.Count), err
}

func (p *page) wait(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var text, selector string
	var timeout starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "text??", &text, "selector??", &selector, "timeout?", &timeout); err != nil {
		return nil, err
	}
	if text == "" && selector == "" {
		return nil, fault.New(fault.Usage, "wait", "page.wait needs text or selector")
	}
	limit, err := p.m.seconds(timeout)
	if err != nil {
		return nil, err
	}
	_, err = p.question(limit, "wait", text, selector)
	return starlark.None, err
}

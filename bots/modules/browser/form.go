package browser

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/host"
	"branchbot/bots/modules/submit"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// form is the script's form value. It holds a name, not an element: each use
// finds the form anew, whatever the page has redrawn.
type form struct {
	page  *page
	title string
}

var _ starlark.HasAttrs = form{}

func (f form) String() string        { return fmt.Sprintf("form(%q)", f.title) }
func (f form) Type() string          { return "form" }
func (f form) Freeze()               {}
func (f form) Truth() starlark.Bool  { return true }
func (f form) Hash() (uint32, error) { return 0, errors.New("a form cannot be a key") }
func (f form) AttrNames() []string   { return []string{"fill", "submit"} }

// Attr gives fill or submit.
func (f form) Attr(name string) (starlark.Value, error) {
	switch name {
	case "fill":
		return f.page.builtin("form.fill", f.fill), nil
	case "submit":
		return f.page.builtin("form.submit", f.submit), nil
	}
	return nil, nil
}

func (p *page) form(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var title string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "title??", &title); err != nil {
		return nil, err
	}
	return form{page: p, title: title}, nil
}

func (p *page) fill(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return form{page: p}.fill(thread, b, args, kwargs)
}

// wanted is one field as our script in the page takes it: exactly one of Text,
// Bool, List and Secret is set.
type wanted struct {
	Label  string   `json:"label"`
	Text   *string  `json:"text,omitempty"`
	Bool   *bool    `json:"bool,omitempty"`
	List   []string `json:"list,omitempty"`
	Secret *int     `json:"secret,omitempty"` // index in the fill's secrets
	Length int      `json:"length,omitempty"` // of the secret, all that can be read back
	Origin string   `json:"origin,omitempty"` // that may receive the secret
	Also   []string `json:"also,omitempty"`   // other names of the choice
}

// filled is a fill that was done, kept to be looked at again before the submit.
type filled struct {
	title   string
	fields  []wanted
	secrets []string
}

func (f form) fill(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var values *starlark.Dict
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "values", &values); err != nil {
		return nil, err
	}
	ctx, p := f.page.m.rt.Context(), f.page
	plan, intended, err := f.plan(ctx, values)
	if err != nil {
		return nil, err
	}
	if err := p.quiet(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	done, err := p.put(ctx, plan)
	if err != nil {
		return nil, err
	}
	for label, value := range intended {
		p.values[label] = value
	}
	p.filled = append(p.filled, plan)
	p.observe(done, began)
	return f.report(done)
}

// put fills once. What is right already is left alone, so that it can be done again.
func (p *page) put(ctx context.Context, plan filled) (done report, err error) {
	err = p.patiently(ctx, func() (err error) {
		done, err = hand{p.tab, plan.secrets}.fill(ctx, plan.title, plan.fields, p.m.patience.Milliseconds())
		return err
	})
	return done, err
}

// plan turns the script's values into fields, and says what is intended for
// the guard. Secrets are in neither.
func (f form) plan(ctx context.Context, values *starlark.Dict) (filled, map[string]string, error) {
	plan, intended := filled{title: f.title}, map[string]string{}
	for _, item := range values.Items() {
		label, ok := starlark.AsString(item[0])
		if !ok {
			return filled{}, nil, fault.New(fault.Usage, "fill_value", "a label is text, not %s", item[0].Type())
		}
		if item[1] == starlark.None {
			continue
		}
		field, text, err := f.field(ctx, label, item[1], &plan)
		if err != nil {
			return filled{}, nil, err
		}
		plan.fields = append(plan.fields, field)
		if field.Secret == nil {
			intended[label] = text
		}
	}
	return plan, intended, nil
}

func (f form) field(ctx context.Context, label string, value starlark.Value, plan *filled) (wanted, string, error) {
	field := wanted{Label: label}
	switch v := value.(type) {
	case secret:
		return f.field(ctx, label, secretPart{v.name, "value"}, plan)
	case secretPart:
		text, origin, err := f.page.secretText(ctx, v)
		if err != nil {
			return wanted{}, "", err
		}
		index := len(plan.secrets)
		plan.secrets = append(plan.secrets, text)
		field.Secret, field.Length, field.Origin = &index, utf16Length(text), origin
		return field, "", nil
	case starlark.Bool:
		on := bool(v)
		field.Bool = &on
		return field, strconv.FormatBool(on), nil
	case *starlark.List:
		list, err := submit.Texts(v)
		if err != nil {
			return wanted{}, "", fmt.Errorf("%s: %w", label, err)
		}
		field.List = list
		return field, submit.Joined(list), nil
	default:
		text, err := submit.Text(v)
		if err != nil {
			return wanted{}, "", fmt.Errorf("%s: %w", label, err)
		}
		field.Text, field.Also = &text, f.page.m.alias(label, text)
		return field, text, nil
	}
}

// secretText resolves a secret for the page as it stands now, and says for
// which origin: the page script looks again when it fills.
func (p *page) secretText(ctx context.Context, part secretPart) (text, origin string, err error) {
	var at string
	if err := p.tab.ask(ctx, &at, "url"); err != nil {
		return "", "", err
	}
	if origin, err = originOf(at); err != nil {
		return "", "", fault.New(fault.Refused, "secret_origin", "the page has no origin that could receive a secret")
	}
	text, err = p.m.resolve(ctx, part, origin)
	return text, origin, err
}

// alias lists other names of a choice: the site's code for it in a submit's
// fields, and its titles where it is a choice of an input.
func (m *module) alias(label, text string) []string {
	var names []string
	manifest := m.rt.Pack().Manifest
	for _, submit := range manifest.Submits {
		if code := submit.Fields[label].Codes[text]; code != "" {
			names = append(names, code)
		}
	}
	for _, in := range manifest.Inputs {
		for _, choice := range in.Of {
			for _, title := range choice.Title {
				if choice.Value == text {
					names = append(names, title)
				}
			}
		}
	}
	sort.Strings(names)
	return names
}

func (p *page) observe(done report, began time.Time) {
	view := wire.FormView{Form: done.Title, Fields: len(done.Fields), Healed: done.Healed, MS: time.Since(began).Milliseconds()}
	p.m.rt.Host().Observe(host.Event{Kind: "form", Step: p.path, Name: done.Title, State: "done", Form: &view, At: time.Now().UTC()})
}

// report is what a script gets from fill.
func (f form) report(done report) (starlark.Value, error) {
	fields := starlark.NewDict(len(done.Fields))
	for _, field := range done.Fields {
		line := starlark.NewDict(3)
		err := errors.Join(
			line.SetKey(starlark.String("by"), starlark.String(field.By)),
			line.SetKey(starlark.String("widget"), starlark.String(field.Widget)),
			line.SetKey(starlark.String("refilled"), starlark.Bool(field.Refilled)),
			fields.SetKey(starlark.String(field.Label), line))
		if err != nil {
			return nil, err
		}
	}
	result := starlark.NewDict(2)
	return result, errors.Join(
		result.SetKey(starlark.String("form"), starlark.String(done.Title)),
		result.SetKey(starlark.String("fields"), fields))
}

package http

import (
	"encoding/json"
	"fmt"

	"go.starlark.net/starlark"

	"branchbot/bots/modules/plain"
	"branchbot/internal/fault"
)

// reply is a site's answer in a script.
type reply struct {
	recorded
	plain starlark.Value
}

var (
	_ starlark.HasAttrs = (*reply)(nil)
	_ plain.Plainer     = (*reply)(nil)
)

// String shows the status only: the text may hold customer data.
func (r *reply) String() string { return fmt.Sprintf("reply(%d)", r.Status) }

// Type is the script's type name.
func (r *reply) Type() string { return "reply" }

// Freeze freezes the plain form.
func (r *reply) Freeze() { r.plain.Freeze() }

// Truth is true: there was an answer, whatever it says.
func (r *reply) Truth() starlark.Bool { return starlark.True }

// Hash fails: a reply is no key.
func (r *reply) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable: reply") }

// Plain is the reply as a step may return it.
func (r *reply) Plain() starlark.Value { return r.plain }

// AttrNames lists what a script may read.
func (r *reply) AttrNames() []string { return []string{"headers", "json", "status", "text"} }

// Attr returns one of them.
func (r *reply) Attr(name string) (starlark.Value, error) {
	switch name {
	case "status":
		return starlark.MakeInt(r.Status), nil
	case "text":
		return starlark.String(r.Text), nil
	case "headers":
		if dict, ok := r.plain.(*starlark.Dict); ok {
			headers, _, err := dict.Get(starlark.String(name))
			return headers, err
		}
	case "json":
		return starlark.NewBuiltin("reply.json", r.json), nil
	}
	return nil, nil
}

// json reads the text as JSON.
func (r *reply) json(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(b.Name(), args, kwargs); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(r.Text)) {
		return nil, fault.New(fault.Application, "reply_unreadable", "the site's answer (%d) is no JSON", r.Status).
			WithHint("look at reply.status and reply.text first")
	}
	return plain.Decode(json.RawMessage(r.Text))
}

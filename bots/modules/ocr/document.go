package ocr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/modules/plain"
	reader "branchbot/ocr"
)

// Document is a read document in a script: its fields are attributes.
//
//	doc.name, doc.number, …   value of a field, text
//	doc.kind, doc.verdict     what it is, and pass, review or reject
//	doc.text                  the whole text (kind text)
//	doc.digest                digest of the file that was read
//	doc.field("name")         value, raw, confidence, box, page, doubt of one field
//	doc.fields                dict of all values
//	doc.checks                list of {rule, ok, detail}
type Document struct {
	reader.Document
	plain starlark.Value
}

var (
	_ starlark.HasAttrs = (*Document)(nil)
	_ plain.Plainer     = (*Document)(nil)
)

// String shows no values: it may end in a log.
func (d *Document) String() string { return fmt.Sprintf("document(%s, %s)", d.Kind, d.Verdict) }

// Type is the script's type name.
func (d *Document) Type() string { return "document" }

// Freeze does nothing: a document never changes.
func (d *Document) Freeze() {}

// Truth is true when the document was accepted.
func (d *Document) Truth() starlark.Bool { return d.Verdict == reader.Pass }

// Hash fails: documents are no keys.
func (d *Document) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable type: document") }

// Plain is what a step or run(input) gives when it returns the document: a dict.
func (d *Document) Plain() starlark.Value { return d.plain }

// AttrNames lists the attributes.
func (d *Document) AttrNames() []string {
	return append(slices.Sorted(maps.Keys(d.Fields)), "checks", "digest", "field", "fields", "kind", "text", "verdict")
}

// Attr returns one attribute.
func (d *Document) Attr(name string) (starlark.Value, error) {
	switch name {
	case "kind":
		return starlark.String(d.Kind), nil
	case "verdict":
		return starlark.String(d.Verdict), nil
	case "text":
		return starlark.String(d.Text), nil
	case "digest":
		return starlark.String(d.Digest), nil
	case "checks":
		return d.checks(), nil
	case "fields":
		return d.fields(), nil
	case "field":
		return starlark.NewBuiltin("field", d.field), nil
	}
	if f, ok := d.Fields[name]; ok {
		return starlark.String(f.Value), nil
	}
	return nil, starlark.NoSuchAttrError(fmt.Sprintf("the document (%s, verdict %s) has no field %q, it has: %s",
		d.Kind, d.Verdict, name, strings.Join(slices.Sorted(maps.Keys(d.Fields)), ", ")))
}

func (d *Document) fields() starlark.Value {
	dict := starlark.NewDict(len(d.Fields))
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		_ = dict.SetKey(starlark.String(name), starlark.String(d.Fields[name].Value)) // text keys always fit
	}
	return dict
}

func (d *Document) checks() starlark.Value {
	list := make([]starlark.Value, len(d.Checks))
	for i, check := range d.Checks {
		list[i] = starlarkstruct.FromStringDict(starlark.String("check"), starlark.StringDict{
			"rule": starlark.String(check.Rule), "ok": starlark.Bool(check.OK), "detail": starlark.String(check.Detail),
		})
	}
	return starlark.NewList(list)
}

func (d *Document) field(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name", &name); err != nil {
		return nil, err
	}
	f, ok := d.Fields[name]
	if !ok {
		return starlark.None, nil
	}
	box := make([]starlark.Value, len(f.Box))
	for i, n := range f.Box {
		box[i] = starlark.MakeInt(n)
	}
	return starlarkstruct.FromStringDict(starlark.String("field"), starlark.StringDict{
		"value": starlark.String(f.Value), "raw": starlark.String(f.Raw), "confidence": starlark.Float(f.Confidence),
		"box": starlark.NewList(box), "page": starlark.MakeInt(f.Page), "doubt": starlark.String(f.Doubt),
	}), nil
}

// Package ocr is the builtin that reads documents.
//
//	ocr.read(file, kind="auto", expect={}, as_of="")
//	    reads a file input, or a list of them (sides or pages of one document),
//	    and gives a document. expect holds declared values by field; one that does
//	    not hold makes the verdict reject. as_of is the day at which expiry is
//	    judged: "" today, "none" not at all. Journaled.
//	    Needs: capabilities.documents names the kind.
//	    Errors: capability_denied, and what reading a picture can give.
package ocr

import (
	"context"
	"encoding/json"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/modules"
	"branchbot/bots/modules/plain"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
	reader "branchbot/ocr"
)

// Factory makes the module.
func Factory() modules.Factory {
	return modules.Factory{Name: "ocr", New: func(r modules.Runtime) modules.Module { return &module{r} }}
}

type module struct{ runtime modules.Runtime }

// Names are the builtins.
func (m *module) Names() starlark.StringDict {
	return starlark.StringDict{"ocr": &starlarkstruct.Module{Name: "ocr", Members: starlark.StringDict{
		"read": starlark.NewBuiltin("ocr.read", m.read),
	}}}
}

// Close has nothing to end.
func (m *module) Close() error { return nil }

func (m *module) read(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var what starlark.Value
	var expect *starlark.Dict
	kind, asOf := "auto", ""
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "file", &what, "kind?", &kind, "expect?", &expect, "as_of?", &asOf); err != nil {
		return nil, err
	}
	if err := m.allowed(kind); err != nil {
		return nil, err
	}
	files, err := filesOf(what)
	if err != nil {
		return nil, err
	}
	expected, err := textsOf(expect)
	if err != nil {
		return nil, err
	}
	return m.recorded(thread, files, reader.Request{Kind: kind, Expect: expected, AsOf: asOf})
}

// allowed: a kind must be named; auto needs at least one that is, and the kind
// it finds is checked afterwards.
func (m *module) allowed(kind string) error {
	capabilities := m.runtime.Pack().Manifest.Capabilities
	if kind == "auto" && len(capabilities.Documents) > 0 {
		return nil
	}
	return capabilities.Require(pack.Documents, kind)
}

// recorded reads the files, or takes the document from the journal. Files count
// by digest: where they lie differs from one runner to the next.
func (m *module) recorded(thread *starlark.Thread, files []*modules.File, request reader.Request) (starlark.Value, error) {
	digests := make([]string, len(files))
	for i, file := range files {
		digests[i], request.Files = file.Digest, append(request.Files, file.Path)
	}
	args := map[string]any{"files": digests, "kind": request.Kind, "expect": request.Expect, "as_of": request.AsOf}
	value, err := m.runtime.Recorded(thread, "ocr.read", args, func(ctx context.Context) (any, error) {
		document, err := m.runtime.Host().ReadDocument(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", files[0].Name, err)
		}
		document.File = files[0].Name
		return document, nil
	})
	if err != nil {
		return nil, err
	}
	return m.document(value)
}

func (m *module) document(value starlark.Value) (starlark.Value, error) {
	raw, err := plain.Encode(value)
	if err != nil {
		return nil, err
	}
	d := &Document{plain: value}
	if err := json.Unmarshal(raw, &d.Document); err != nil {
		return nil, fmt.Errorf("decode document: %w", err)
	}
	if err := m.runtime.Pack().Manifest.Capabilities.Require(pack.Documents, d.Kind); err != nil {
		return nil, err
	}
	return d, nil
}

func filesOf(what starlark.Value) ([]*modules.File, error) {
	list := []starlark.Value{what}
	if sides, ok := what.(*starlark.List); ok {
		list = list[:0]
		for i := range sides.Len() {
			list = append(list, sides.Index(i))
		}
	}
	var files []*modules.File
	for _, value := range list {
		file, ok := value.(*modules.File)
		if !ok {
			return nil, fault.New(fault.Application, "not_a_file", "ocr.read wants a file input, not %s", value.Type()).
				WithHint("give input.NAME of an input with type file")
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fault.New(fault.Application, "not_a_file", "ocr.read got an empty list of files")
	}
	return files, nil
}

// textsOf is expect in Go. A value that is None is not expected.
func textsOf(dict *starlark.Dict) (map[string]string, error) {
	texts := map[string]string{}
	if dict == nil {
		return texts, nil
	}
	for _, item := range dict.Items() {
		if item[1] == starlark.None {
			continue
		}
		name, isName := starlark.AsString(item[0])
		value, isText := starlark.AsString(item[1])
		if !isName || !isText {
			return nil, fmt.Errorf("ocr.read: expect wants field names and texts, got %s: %s", item[0].Type(), item[1].Type())
		}
		texts[name] = value
	}
	return texts, nil
}

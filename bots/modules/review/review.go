// Package review is the builtin through which a person looks at a document.
//
//	review(document, title="")
//	    gives the document back when nothing is doubtful. Journaled.
//	    Errors (business): review_needed with the doubtful fields, when a person
//	    would have to look; document_rejected with the checks that failed.
//
// It fails closed: until people can answer, doubt ends the run.
package review

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/bots/modules/ocr"
	"branchbot/internal/fault"
	reader "branchbot/ocr"
)

// Factory makes the module.
func Factory() modules.Factory {
	return modules.Factory{Name: "review", New: func(r modules.Runtime) modules.Module { return &module{r} }}
}

type module struct{ runtime modules.Runtime }

// Names are the builtins.
func (m *module) Names() starlark.StringDict {
	return starlark.StringDict{"review": starlark.NewBuiltin("review", m.review)}
}

// Close has nothing to end.
func (m *module) Close() error { return nil }

func (m *module) review(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var value starlark.Value
	var title string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "document", &value, "title?", &title); err != nil {
		return nil, err
	}
	document, ok := value.(*ocr.Document)
	if !ok {
		return nil, fmt.Errorf("review wants a document of ocr.read, not %s", value.Type())
	}
	what := map[string]string{"document": document.Digest, "kind": document.Kind, "verdict": document.Verdict, "title": title}
	if _, err := m.runtime.Recorded(thread, "review", what, func(context.Context) (any, error) {
		if err := decide(document.Document); err != nil {
			return nil, err
		}
		return map[string]string{"decision": "accepted", "by": "checks"}, nil
	}); err != nil {
		return nil, err
	}
	return document, nil
}

// decide accepts only what the checks accepted. Messages name fields, never values.
func decide(document reader.Document) error {
	switch document.Verdict {
	case reader.Pass:
		return nil
	case reader.Reject:
		return fault.New(fault.Business, "document_rejected", "the document is not accepted: %s", names(failed(document), "it could not be read")).
			WithHint("compare the document with what was typed in; scan it again if it is the right one")
	}
	fields := names(doubtful(document), "all fields")
	return fault.New(fault.Business, "review_needed", "a person must look at: %s", fields).
		WithHint("scan the document again, flat and sharp; if it stays doubtful, enter the data by hand").
		WithFact("fields", fields)
}

func failed(document reader.Document) []string {
	var list []string
	for _, check := range document.Checks {
		if !check.OK {
			list = append(list, check.Rule)
		}
	}
	return list
}

func doubtful(document reader.Document) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(document.Fields)) {
		if document.Fields[name].Doubt != "" {
			list = append(list, name)
		}
	}
	return append(list, failed(document)...)
}

func names(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// Package core holds the small builtins every script has.
//
//	now()    the time, as text in UTC: "2026-11-23T09:30:00Z"; journaled
//	uuid()   a new random id; journaled
//	fail_business(code, message, hint="")
//	         ends the run with a business exception: the data is wrong, tell the person
//	fail(*values)
//	         ends the run with the application exception script_failed
package core

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/internal/fault"
)

// Factory makes the module.
func Factory() modules.Factory {
	return modules.Factory{Name: "core", New: func(r modules.Runtime) modules.Module { return &module{r} }}
}

type module struct{ runtime modules.Runtime }

// Names are the builtins.
func (m *module) Names() starlark.StringDict {
	return starlark.StringDict{
		"now":           starlark.NewBuiltin("now", m.now),
		"uuid":          starlark.NewBuiltin("uuid", m.uuid),
		"fail_business": starlark.NewBuiltin("fail_business", failBusiness),
		"fail":          starlark.NewBuiltin("fail", fail),
	}
}

// Close has nothing to end.
func (m *module) Close() error { return nil }

func (m *module) now(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(b.Name(), args, kwargs); err != nil {
		return nil, err
	}
	return m.runtime.Recorded(thread, "now", nil, func(context.Context) (any, error) {
		return time.Now().UTC().Truncate(time.Second).Format(time.RFC3339), nil
	})
}

func (m *module) uuid(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(b.Name(), args, kwargs); err != nil {
		return nil, err
	}
	return m.runtime.Recorded(thread, "uuid", nil, func(context.Context) (any, error) { return newUUID(), nil })
}

// newUUID is a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func failBusiness(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var code, message, hint string
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "code", &code, "message", &message, "hint?", &hint); err != nil {
		return nil, err
	}
	word := func(r rune) bool { return r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	if code == "" || len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool { return !word(r) }) {
		return nil, fmt.Errorf("fail_business: code %q is not in snake_case", code)
	}
	return nil, fault.New(fault.Business, code, "%s", message).WithHint("%s", hint)
}

func fail(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	words := make([]string, len(args))
	for i, arg := range args {
		text, ok := starlark.AsString(arg)
		if !ok {
			text = arg.String()
		}
		words[i] = text
	}
	return nil, fault.New(fault.Application, "script_failed", "%s", strings.Join(words, " "))
}

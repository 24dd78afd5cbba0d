package all_test

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/host"
	"branchbot/bots/modules"
	"branchbot/bots/modules/all"
	"branchbot/bots/pack"
)

// idle is a runtime that modules may be made with; nothing is called.
type idle struct{ modules.Runtime }

func (idle) Context() context.Context { return context.Background() }
func (idle) Start() *host.Start       { return &host.Start{} }
func (idle) Pack() *pack.Pack         { return &pack.Pack{Manifest: &pack.Manifest{}} }
func (idle) Logger() *slog.Logger     { return slog.New(slog.DiscardHandler) }

// builtins are the global names, and for modules their members.
func builtins(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{"step": nil, "log": nil} // the engine's own
	for _, factory := range all.Modules() {
		module := factory.New(idle{})
		for name, value := range module.Names() {
			if _, taken := names[name]; taken {
				t.Errorf("%s is defined twice", name)
			}
			names[name] = nil
			if m, ok := value.(*starlarkstruct.Module); ok {
				names[name] = m.Members.Keys()
			} else if _, ok := value.(*starlark.Builtin); !ok {
				t.Errorf("%s is a %s", name, value.Type())
			}
		}
		if err := module.Close(); err != nil {
			t.Errorf("close %s: %v", factory.Name, err)
		}
	}
	return names
}

func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/bots.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryBuiltinIsKnownAndDocumented(t *testing.T) {
	t.Parallel()
	text, known := manual(t), pack.Builtins()
	for name, members := range builtins(t) {
		if !slices.Contains(known, name) {
			t.Errorf("botpack check does not know %s: pack.Builtins", name)
		}
		known = slices.DeleteFunc(known, func(k string) bool { return k == name })
		if members == nil && !strings.Contains(text, "| `"+name+"(") {
			t.Errorf("docs/bots.md has no row for %s", name)
		}
		for _, member := range members {
			if !strings.Contains(text, "| `"+name+"."+member+"(") {
				t.Errorf("docs/bots.md has no row for %s.%s", name, member)
			}
		}
	}
	if len(known) > 0 {
		t.Errorf("pack.Builtins has %v, which no module defines", known)
	}
}

func TestEveryManifestKeyIsDocumented(t *testing.T) {
	t.Parallel()
	text := manual(t)
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(at reflect.Type) {
		for at.Kind() == reflect.Pointer || at.Kind() == reflect.Slice || at.Kind() == reflect.Map {
			at = at.Elem()
		}
		if at.Kind() != reflect.Struct || seen[at] {
			return
		}
		seen[at] = true
		for i := range at.NumField() {
			tag := at.Field(i).Tag.Get("yaml")
			if tag != "" && tag != "-" && !strings.Contains(text, "`"+tag+"`") && !strings.Contains(text, tag+":") {
				t.Errorf("docs/bots.md does not name %s of %s", tag, at.Name())
			}
			walk(at.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[pack.Manifest]())
}

package engine

import (
	"errors"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// program is the pack's script files and what their top levels made.
type program struct {
	pack    *pack.Pack
	names   starlark.StringDict // the builtins
	globals starlark.StringDict // of main.star
	loaded  map[string]starlark.StringDict
}

// start runs the top level of main.star.
func (p *program) start(thread *starlark.Thread) error {
	globals, err := p.execute(thread, pack.MainFile)
	p.globals = globals
	return err
}

// load serves load("name.star", …): only files of the pack, each executed once.
func (p *program) load(thread *starlark.Thread, name string) (starlark.StringDict, error) {
	globals, seen := p.loaded[name]
	if seen && globals == nil {
		return nil, fault.New(fault.Application, "load_cycle", "%s is loaded while it is still loading", name)
	}
	if seen {
		return globals, nil
	}
	if _, ok := p.pack.Files[name]; !ok || !strings.HasSuffix(name, ".star") {
		return nil, fault.New(fault.Refused, "load_unknown", "there is no %q in the pack", name).
			WithHint("load takes the path of a .star file inside the pack")
	}
	p.loaded[name] = nil
	globals, err := p.execute(thread, name)
	if err != nil {
		return nil, err
	}
	p.loaded[name] = globals
	return globals, nil
}

func (p *program) execute(thread *starlark.Thread, name string) (starlark.StringDict, error) {
	globals, err := starlark.ExecFileOptions(pack.Dialect(), thread, name, p.pack.Files[name], p.names)
	if err == nil {
		return globals, nil
	}
	var syntaxErr syntax.Error
	var resolveErrs resolve.ErrorList
	if errors.As(err, &syntaxErr) || errors.As(err, &resolveErrs) {
		return globals, fault.New(fault.Application, "script_invalid", "%w", err).WithHint("botpack check lists every mistake")
	}
	return globals, err
}

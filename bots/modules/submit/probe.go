package submit

import (
	"context"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
)

// topLevel is the function that looks a record up, nil for none. After a crash
// another runner must find it by name.
func topLevel(rt modules.Runtime, probe starlark.Value) (starlark.Callable, error) {
	if probe == nil || probe == starlark.None {
		return nil, nil //nolint:nilnil // a submit may have no probe
	}
	look, ok := probe.(starlark.Callable)
	if !ok {
		return nil, fault.New(fault.Usage, "probe", "probe is a function, not %s", probe.Type())
	}
	if global, ok := rt.Global(look.Name()); !ok || global != look {
		return nil, fault.New(fault.Usage, "probe", "the probe %s is no top-level function of the script", look.Name()).
			WithHint("define it with def at the top of main.star")
	}
	return look, nil
}

// probing wraps the script's look-up for the guard, which lets it only read.
func probing(rt modules.Runtime, thread *starlark.Thread, look starlark.Callable, key []string, done func()) guard.Probe {
	parts := make([]starlark.Value, len(key))
	for i, part := range key {
		parts[i] = starlark.String(part)
	}
	return func(context.Context) (map[string]string, bool, error) {
		defer done()
		found, err := rt.Call(thread, look, starlark.NewList(parts))
		if err != nil {
			return nil, false, err
		}
		return seen(found)
	}
}

// seen reads a probe's answer.
func seen(found starlark.Value) (map[string]string, bool, error) {
	switch v := found.(type) {
	case starlark.NoneType:
		return nil, false, nil
	case *starlark.Dict:
		values, err := receipt(v)
		return values, err == nil, err
	}
	return nil, false, fault.New(fault.Usage, "probe", "a probe returns a dict or None, not %s", found.Type())
}

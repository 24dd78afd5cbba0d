// Package verify is the builtin that compares and checks values. Nothing in it
// reaches outside, so nothing is journaled.
//
//	verify.equal(a, b)                  the same text
//	verify.name(a, b)                   the same name: case, width, spaces, dots and accents do not count
//	verify.date(text, not_before="", not_after="")
//	                                    a day YYYY-MM-DD, within the bounds
//	verify.amount(a, b, tolerance="0")  the same amount
//	verify.id_number(text, birth="", sex="")
//	                                    a citizen number by GB 11643 that agrees with birth and sex
//	verify.mrz(text)                    the two lines of a passport, by the check digits of ICAO 9303
//	verify.require({what: check, …})    business exception verify_failed unless every check holds
//
// Each but require gives a check: check.ok, check.code (a stable word, "" when it
// holds) and check.reason, a dict with the languages zh-CN and en. A check is
// true when it holds. Returned from run(input) it is a dict of these three.
package verify

import (
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/modules"
	"branchbot/internal/fault"
)

// Factory makes the module.
func Factory() modules.Factory {
	return modules.Factory{Name: "verify", New: func(modules.Runtime) modules.Module { return module{} }}
}

type module struct{}

// Names are the builtins.
func (module) Names() starlark.StringDict {
	members := starlark.StringDict{"require": starlark.NewBuiltin("verify.require", require)}
	rules := map[string]func(arguments) code{
		"equal": equal, "name": sameName, "date": date, "amount": amount,
		"id_number": idNumber, "mrz": mrz,
	}
	for name, rule := range rules {
		members[name] = builtin("verify."+name, parameters(name), rule)
	}
	return starlark.StringDict{"verify": &starlarkstruct.Module{Name: "verify", Members: members}}
}

// Close has nothing to end.
func (module) Close() error { return nil }

// parameters of each rule; those with "?" may be left out.
func parameters(name string) []string {
	return map[string][]string{
		"equal": {"a", "b"}, "name": {"a", "b"}, "date": {"text", "not_before?", "not_after?"},
		"amount": {"a", "b", "tolerance?"}, "id_number": {"text", "birth?", "sex?"}, "mrz": {"text"},
	}[name]
}

// arguments are texts by parameter; None counts as "".
type arguments map[string]string

// builtin makes a builtin whose parameters are all text.
func builtin(name string, names []string, rule func(arguments) code) *starlark.Builtin {
	return starlark.NewBuiltin(name, func(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		values := make([]starlark.Value, len(names))
		pairs := make([]any, 0, 2*len(names))
		for i, name := range names {
			pairs = append(pairs, name, &values[i])
		}
		if err := starlark.UnpackArgs(b.Name(), args, kwargs, pairs...); err != nil {
			return nil, err
		}
		given := arguments{}
		for i, name := range names {
			text, ok := starlark.AsString(values[i])
			if !ok && values[i] != nil && values[i] != starlark.None {
				return nil, fmt.Errorf("%s: %s is %s, not text", b.Name(), strings.TrimSuffix(name, "?"), values[i].Type())
			}
			given[strings.TrimSuffix(name, "?")] = strings.TrimSpace(text)
		}
		return check{rule(given)}, nil
	})
}

// require takes a dict of checks and names those that do not hold.
func require(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var checks *starlark.Dict
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "checks", &checks); err != nil {
		return nil, err
	}
	var wrong []string
	for _, item := range checks.Items() {
		name, isText := starlark.AsString(item[0])
		c, isCheck := item[1].(check)
		if !isText || !isCheck {
			return nil, fmt.Errorf("verify.require wants a dict of names and checks, got %s: %s", item[0].Type(), item[1].Type())
		}
		if c.code != holds {
			wrong = append(wrong, fmt.Sprintf("%s: %s · %s", name, c.code.reason("en"), c.code.reason("zh-CN")))
		}
	}
	if len(wrong) == 0 {
		return starlark.None, nil
	}
	return nil, fault.New(fault.Business, "verify_failed", "%s", strings.Join(wrong, "; ")).
		WithHint("compare the document with what was typed in")
}

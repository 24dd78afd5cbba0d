package pack

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// script walks one file.
func (c *checker) script(file *syntax.File) {
	for _, stmt := range file.Stmts {
		if load, ok := stmt.(*syntax.LoadStmt); ok {
			c.load(load)
		}
		if _, def := stmt.(*syntax.DefStmt); !def {
			c.topLevel(stmt)
		}
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CallExpr:
			c.call(n)
		case *syntax.DefStmt:
			c.steps(n)
		}
		return true
	})
}

func (c *checker) load(load *syntax.LoadStmt) {
	name := load.ModuleName()
	if _, ok := c.pack.Files[name]; !ok || !strings.HasSuffix(name, ".star") {
		c.add(load.Module.TokenPos, Error, "load_unknown", "load takes the path of a .star file inside the pack",
			fmt.Sprintf("there is no %q in the pack", name))
	}
}

// topLevel finds calls that would run while the script is loaded.
func (c *checker) topLevel(stmt syntax.Stmt) {
	effects := []string{"http.get", "http.head", "http.post", "http.submit", "browser.open", "ocr.read", "review", "step", "now", "uuid"}
	syntax.Walk(stmt, func(node syntax.Node) bool {
		if _, later := node.(*syntax.LambdaExpr); later {
			return false
		}
		if call, ok := node.(*syntax.CallExpr); ok && slices.Contains(effects, callee(call)) {
			start, _ := call.Span()
			c.add(start, Error, "outside_run", "call it inside run(input)", callee(call)+" is called while the script is loaded")
		}
		return true
	})
}

// callee is "f" or "module.f", "" for anything else.
func callee(call *syntax.CallExpr) string {
	switch fn := call.Fn.(type) {
	case *syntax.Ident:
		return fn.Name
	case *syntax.DotExpr:
		if module, ok := fn.X.(*syntax.Ident); ok {
			return module.Name + "." + fn.Name.Name
		}
	}
	return ""
}

func (c *checker) call(call *syntax.CallExpr) {
	switch callee(call) {
	case "browser.open":
		c.open(call)
		return
	case "http.get", "http.head", "http.post":
		c.ask(call)
		return
	case "step":
		name, _ := literal(argument(call, 0, "name"))
		c.named[name] = true
		return
	case "ocr.read":
		c.capability(Documents, argument(call, 1, "kind"), "ocr.read")
		return
	}
	if fn, ok := call.Fn.(*syntax.DotExpr); ok && fn.Name.Name == "submit" {
		c.submit(call, fn)
	}
}

// argument is the expression given for a parameter, by place or name.
func argument(call *syntax.CallExpr, place int, name string) syntax.Expr {
	for i, arg := range call.Args {
		if named, ok := arg.(*syntax.BinaryExpr); ok && named.Op == syntax.EQ {
			if key, ok := named.X.(*syntax.Ident); ok && key.Name == name {
				return named.Y
			}
			continue
		}
		if i == place {
			return arg
		}
	}
	return nil
}

// literal is the text of a string literal.
func literal(expr syntax.Expr) (string, bool) {
	if lit, ok := expr.(*syntax.Literal); ok && lit.Token == syntax.STRING {
		return lit.Value.(string), true
	}
	return "", false
}

func (c *checker) capability(kind string, expr syntax.Expr, who string) {
	name, known := literal(expr)
	if !known || name == "auto" {
		return
	}
	if c.pack.Manifest.Capabilities.Require(kind, name) != nil {
		start, _ := expr.Span()
		c.add(start, Error, "capability_missing", fmt.Sprintf("capabilities: {%s: [%s]}", kind, name),
			fmt.Sprintf("%s uses %q, which capabilities.%s does not name", who, name, kind))
	}
}

func (c *checker) open(call *syntax.CallExpr) {
	address := argument(call, 0, "address")
	if text, ok := literal(address); ok {
		start, _ := address.Span()
		site, path, _ := strings.Cut(text, ":")
		switch {
		case strings.HasPrefix(path, "//"):
			c.add(start, Warning, "whole_url", "write site:/path", "only a pack that nobody signed may write a whole URL")
		case !slices.Contains(c.pack.Manifest.Capabilities.Sites, site):
			c.add(start, Error, "capability_missing", "capabilities: {sites: ["+site+"]}",
				fmt.Sprintf("browser.open uses site %q, which capabilities.sites does not name", site))
		case !strings.HasPrefix(path, "/"):
			c.add(start, Error, "wrong_value", "write site:/path", fmt.Sprintf("%q is no address", text))
		}
	}
	login := argument(call, 1, "login")
	if name, ok := literal(login); ok {
		if known, there := c.pack.Manifest.Logins[name]; !there || known.Authorization != "" {
			start, _ := login.Span()
			c.add(start, Error, "login_unknown", "name it under logins", fmt.Sprintf("the manifest has no login %q for pages", name))
		}
	}
}

// submit checks that the answer can be found again, by look-up or by a person.
func (c *checker) submit(call *syntax.CallExpr, fn *syntax.DotExpr) {
	start := fn.Name.NamePos
	rule := c.rule(call, start)
	if rule == nil {
		return
	}
	if callee(call) == "http.submit" {
		c.ownPayload(call, rule)
	}
	if argument(call, -1, "key") == nil {
		c.add(start, Error, "no_key", "key = [what makes the record unique]", "a submit needs its business key")
	}
	probe := argument(call, -1, "probe")
	switch ident, named := probe.(*syntax.Ident); {
	case probe == nil && rule.OnUnknown != "person":
		c.add(start, Error, "no_probe", "give probe = function, or on_unknown: person in "+ManifestFile,
			"nothing tells what became of this submit after a crash")
	case probe == nil:
		c.add(start, Warning, "no_probe", "give probe = function", "without a probe a person must look up every doubt")
	case !named || !c.isTopLevel(ident.Name):
		at, _ := probe.Span()
		c.add(at, Error, "probe_function", "def find_it(key): at the top level of "+MainFile,
			"a probe is a top-level function: it must be found again after a crash")
	default:
		c.arity(ident.Name, 1, ident.Name+"(key)")
	}
}

func (c *checker) isTopLevel(name string) bool {
	_, ok := c.functions[name]
	return ok
}

// rule is the manifest's submit that a call means; nil when that is unknown here.
func (c *checker) rule(call *syntax.CallExpr, at syntax.Position) *Submit {
	submits := c.pack.Manifest.Submits
	expr := argument(call, 0, "name")
	name, known := literal(expr)
	switch {
	case expr == nil && len(submits) == 1:
		for _, only := range submits {
			return only
		}
	case expr == nil:
		c.add(at, Error, "submit_unknown", `form.submit("name", …)`, fmt.Sprintf("the manifest has %d submits: say which one", len(submits)))
	case known && submits[name] == nil:
		c.add(at, Error, "submit_unknown", "name it under submits", fmt.Sprintf("the manifest has no submit %q", name))
	case known:
		return submits[name]
	}
	return nil
}

// steps warns where the function of a step changes what stands outside it: a
// finished step is not called again, so the change would be missing the next time.
func (c *checker) steps(outer *syntax.DefStmt) {
	inner := map[string]*syntax.DefStmt{}
	for _, stmt := range outer.Body {
		if def, ok := stmt.(*syntax.DefStmt); ok {
			inner[def.Name.Name] = def
		}
	}
	syntax.Walk(outer, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok || callee(call) != "step" {
			return true
		}
		switch fn := argument(call, 1, "fn").(type) {
		case *syntax.Ident:
			if def := inner[fn.Name]; def != nil {
				for _, stmt := range def.Body {
					c.changes(stmt)
				}
			}
		case *syntax.LambdaExpr:
			c.changes(fn)
		}
		return true
	})
}

func (c *checker) changes(node syntax.Node) {
	methods := []string{"append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "discard"}
	warn := func(x syntax.Expr) {
		if ident, ok := x.(*syntax.Ident); ok && isOuter(ident) {
			c.add(ident.NamePos, Warning, "step_changes_outside", "return the value from the step instead",
				fmt.Sprintf("the step changes %s, which stands outside it: after a restart the change is lost", ident.Name))
		}
	}
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if dot, ok := n.Fn.(*syntax.DotExpr); ok && slices.Contains(methods, dot.Name.Name) {
				warn(dot.X)
			}
		case *syntax.AssignStmt:
			if index, ok := n.LHS.(*syntax.IndexExpr); ok {
				warn(index.X)
			}
		}
		return true
	})
}

// isOuter: the name belongs to a function around this one.
func isOuter(ident *syntax.Ident) bool {
	binding, ok := ident.Binding.(*resolve.Binding)
	return ok && binding.Scope == resolve.Free
}

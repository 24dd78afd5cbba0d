package arch

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// rules are all rules over one file.
func rules() []func(source) []Finding {
	return []func(source) []Finding{direction, confinement, forbiddenCalls, noInit, codesAreWords}
}

// forbidden names what product code outside cmd/ must not touch: it would hide
// an input or an output of the program, or end it.
func forbidden() map[string][]string {
	return map[string][]string{
		"os":       {"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "Stdout", "Stdin", "Stderr", "Args"},
		"fmt":      {"Print", "Println", "Printf", "Scan", "Scanln", "Scanf"},
		"log":      {"*"},
		"log/slog": {"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "With"},
		"time":     {"Sleep"},
	}
}

// forbiddenCalls finds the names above, and Must* of any package or value.
func forbiddenCalls(s source) []Finding {
	if s.support {
		return nil
	}
	var findings []Finding
	for importPath, names := range forbidden() {
		local := s.nameOf(importPath)
		if local == "" || local == "_" || mayTouch(s, importPath) {
			continue
		}
		findings = append(findings, s.uses(local, names)...)
	}
	return append(findings, s.mustCalls()...)
}

// mayTouch lets cmd/ touch the process. Waiting blindly is nobody's right.
func mayTouch(s source, importPath string) bool {
	return under(s.folder, "cmd") && importPath != "time" && importPath != "log"
}

func (s source) uses(local string, names []string) []Finding {
	var findings []Finding
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local && listed(names, selector.Sel.Name) {
			findings = append(findings, s.at(n.Pos(), "forbidden call", "%s.%s", local, selector.Sel.Name))
		}
		return true
	})
	return findings
}

func listed(names []string, name string) bool {
	for _, n := range names {
		if n == name || n == "*" {
			return true
		}
	}
	return false
}

func (s source) mustCalls() []Finding {
	var findings []Finding
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if name := calledName(call); strings.HasPrefix(name, "Must") {
			findings = append(findings, s.at(n.Pos(), "forbidden call", "%s panics: return the error", name))
		}
		return true
	})
	return findings
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	default:
		return ""
	}
}

// noInit: what runs before main cannot be given anything, nor fail.
func noInit(s source) []Finding {
	if s.test {
		return nil
	}
	var findings []Finding
	for _, declared := range s.syntax.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			findings = append(findings, s.at(f.Pos(), "no init", "func init runs before anybody can pass it anything"))
		}
	}
	return findings
}

// codesAreWords: people and scripts rely on the codes of fault.New; they are words in snake_case.
func codesAreWords(s source) []Finding {
	local := s.nameOf(Module + "/internal/fault")
	if local == "" || s.test {
		return nil
	}
	var findings []Finding
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 || !isCall(call, local, "New") {
			return true
		}
		if code, literal := text(call.Args[1]); literal && !snakeCase(code) {
			findings = append(findings, s.at(n.Pos(), "fault code", "code %q is not snake_case", code))
		}
		return true
	})
	return findings
}

func isCall(call *ast.CallExpr, local, name string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == local
}

func text(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

func snakeCase(code string) bool {
	const letters, others = "abcdefghijklmnopqrstuvwxyz", "0123456789_"
	return code != "" && strings.Contains(letters, code[:1]) && strings.Trim(code, letters+others) == "" &&
		!strings.Contains(code, "__") && !strings.HasSuffix(code, "_")
}

package arch

import (
	"go/ast"
	"slices"
)

// skipReasons: a skipped test tested nothing, so every skip gives a reason, as
// a literal, that stands on the list.
func skipReasons(s source, allowed []string) []Finding {
	if !s.support {
		return nil
	}
	var findings []Finding
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if why := skipProblem(call, allowed); why != "" {
			findings = append(findings, s.at(n.Pos(), "skip", "%s", why))
		}
		return true
	})
	return findings
}

func skipProblem(call *ast.CallExpr, allowed []string) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
		return ""
	}
	if x, ok := selector.X.(*ast.Ident); !ok || !slices.Contains([]string{"t", "tb", "b", "f"}, x.Name) {
		return "" // some other type's Skip
	}
	if len(call.Args) == 0 {
		return "a skip without a reason"
	}
	reason, literal := text(call.Args[0])
	switch {
	case !literal:
		return "the reason of a skip must be a literal text"
	case !slices.Contains(allowed, reason):
		return "the reason " + reason + " is not in skips.txt"
	}
	return ""
}

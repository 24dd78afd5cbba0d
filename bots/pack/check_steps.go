package pack

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"branchbot/internal/spell"
)

// stepNames warns of what the manifest says about steps that no script has: a
// name that is written differently would silently keep the defaults.
func (c *checker) stepNames() {
	if c.broken || c.named[""] || c.pack.Manifest == nil {
		return
	}
	known := slices.Sorted(maps.Keys(c.named))
	for _, name := range slices.Sorted(maps.Keys(c.pack.Manifest.Steps)) {
		if c.named[name] {
			continue
		}
		hint := "steps of the scripts: " + strings.Join(known, ", ")
		if near := spell.Near(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.problems = append(c.problems, Problem{
			File: ManifestFile, Line: c.lineOf(name), Column: 1, Code: "step_unknown", Severity: Warning,
			Message: fmt.Sprintf("no script has a step %q", name), Hint: hint,
		})
	}
}

// lineOf is the first line of the manifest's steps that holds a text.
func (c *checker) lineOf(text string) int {
	inSteps := false
	for i, line := range bytes.Split(c.pack.Files[ManifestFile], []byte("\n")) {
		inSteps = inSteps || bytes.HasPrefix(line, []byte("steps:"))
		if inSteps && bytes.Contains(line, []byte(text)) {
			return i + 1
		}
	}
	return 1
}

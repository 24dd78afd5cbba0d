package pack

import (
	"fmt"
	"strings"

	"branchbot/internal/fault"
)

// Severities of a Problem.
const (
	Error   = "error"   // the pack cannot be used
	Warning = "warning" // the pack works, and somebody should look
)

// Problem is one finding in a pack, at a place in one of its files.
type Problem struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Hint     string `json:"hint"`
	Severity string `json:"severity"`
}

// String is the finding on one line, as compilers print it.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// invalid turns the errors among the problems into one pack_invalid fault.
func invalid(problems []Problem) error {
	var lines []string
	hint := ""
	for _, p := range problems {
		if p.Severity != Error {
			continue
		}
		if hint == "" {
			hint = p.Hint
		}
		lines = append(lines, p.String())
	}
	if len(lines) == 0 {
		return nil
	}
	if more := len(lines) - 10; more > 0 {
		lines = append(lines[:10], fmt.Sprintf("and %d more", more))
	}
	return fault.New(fault.Usage, "pack_invalid", "%s", strings.Join(lines, "; ")).WithHint("%s", hint)
}

package pack

import "fmt"

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

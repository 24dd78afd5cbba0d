package fault

import "encoding/json"

// Wire is the JSON form of a coded error, used in command output
// ({"error":{…}}), on the pipe between agent and runner, and in HTTP replies.
type Wire struct {
	Code      string            `json:"code"`
	Class     Class             `json:"class,omitempty"`
	Message   string            `json:"message"`
	Hint      string            `json:"hint"`
	Retryable bool              `json:"retryable,omitempty"`
	Facts     map[string]string `json:"facts,omitempty"`
}

// ToWire converts err for transport; nil gives nil.
func ToWire(err error) *Wire {
	e := Of(err)
	if e == nil {
		return nil
	}
	return &Wire{Code: e.Code, Class: e.Class, Message: e.Message, Hint: e.Hint, Retryable: e.Retryable, Facts: e.Facts}
}

// Err converts back; a nil Wire gives a nil error.
func (w *Wire) Err() error {
	if w == nil {
		return nil
	}
	return &Error{Code: w.Code, Class: w.Class, Message: w.Message, Hint: w.Hint, Retryable: w.Retryable, Facts: w.Facts}
}

// JSONLine is the last line on stderr of a command that was called with --json.
func JSONLine(err error) string {
	line, encodeErr := json.Marshal(map[string]*Wire{"error": ToWire(err)})
	if encodeErr != nil {
		return `{"error":{"code":"internal","message":"error could not be encoded","hint":""}}`
	}
	return string(line)
}

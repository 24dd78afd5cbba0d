// Package fault holds branchbot's one error type: a stable code that scripts,
// pages and people rely on, a class that decides who must act, and a hint that
// says what to do.
//
// An error without a code is "internal": the person sees a short text and a
// reference, the log gets the rest. Wrap with fmt.Errorf("open journal: %w", err)
// to say what we were doing; the code survives wrapping.
package fault

import (
	"errors"
	"fmt"
)

// Class says what sort of thing went wrong. It decides the exit code of every
// program (CLI reference) and whether a retry can help.
type Class string

// The classes, with the exit code each leads to.
const (
	Application Class = "application" // 1: the world is wrong: retry, repair, alert
	Usage       Class = "usage"       // 2: wrong usage or configuration
	Business    Class = "business"    // 3: the data is wrong: tell the person
	Waiting     Class = "waiting"     // 4: a person must decide
	Refused     Class = "refused"     // 5: signature, capability, permission
	Unreachable Class = "unreachable" // 6: head office or site cannot be reached
	Interrupted Class = "interrupted" // 130: somebody stopped it
)

// CodeInternal is the code of an error that carries none.
const CodeInternal = "internal"

// Error is a coded error. Code is a stable word in snake_case; Message says in
// plain English what is wrong with which thing; Hint says what to do about it.
type Error struct {
	Code      string
	Class     Class
	Message   string
	Hint      string
	Retryable bool
	// Facts are the values a translated text may show (no customer data).
	Facts map[string]string
	cause error
}

// New makes a coded error. The text follows fmt.Sprintf; a %w is honoured.
func New(class Class, code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Class: class, Message: err.Error(), cause: errors.Unwrap(err)}
}

// WithHint says what the reader can do. It returns the same error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithFact adds a value that translated texts may show. It returns the same error.
func (e *Error) WithFact(name, value string) *Error {
	if e.Facts == nil {
		e.Facts = map[string]string{}
	}
	e.Facts[name] = value
	return e
}

// Retry marks the error as one that may pass by itself. It returns the same error.
func (e *Error) Retry() *Error {
	e.Retryable = true
	return e
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause given with %w, if any.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a coded error of the same code, so that
// errors.Is(err, &fault.Error{Code: "data_in_use"}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Of returns the coded error inside err. An error without one becomes an
// internal application fault around it; nil stays nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var coded *Error
	if errors.As(err, &coded) {
		if coded.Message == err.Error() {
			return coded
		}
		outer := *coded
		outer.Message = err.Error() // keep what each caller said it was doing
		outer.cause = err
		return &outer
	}
	return &Error{Code: CodeInternal, Class: Application, Message: err.Error(), cause: err}
}

// Code returns the stable code of err, CodeInternal if it has none, "" for nil.
func Code(err error) string {
	if err == nil {
		return ""
	}
	return Of(err).Code
}

// HasCode reports whether err carries the given code.
func HasCode(err error, code string) bool { return err != nil && Of(err).Code == code }

// ExitCode maps an error to the process exit code of the CLI reference.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	switch Of(err).Class {
	case Usage:
		return 2
	case Business:
		return 3
	case Waiting:
		return 4
	case Refused:
		return 5
	case Unreachable:
		return 6
	case Interrupted:
		return 130
	default:
		return 1
	}
}

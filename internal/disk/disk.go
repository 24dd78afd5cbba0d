// Package disk knows what a file system has left, how to say that it is full,
// and how to remove a file so that its bytes are gone from the disk as well.
package disk

import (
	"errors"
	"strings"
	"syscall"
)

// Space is the room of a file system, in bytes.
type Space struct {
	Free  int64 // for a program without privileges
	Total int64
}

// IsFull reports whether an error says that there is no room. Some libraries keep
// only the text of the system's error.
func IsFull(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	text := err.Error()
	for _, full := range fullTexts() {
		if strings.Contains(text, full) {
			return true
		}
	}
	return false
}

//go:build !unix

package binaries

import "testing"

// lock does nothing here: end-to-end tests run on Linux.
func lock(testing.TB, string) (unlock func()) { return func() {} }

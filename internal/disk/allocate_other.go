//go:build !linux

package disk

import "os"

// Allocate gives a file size bytes of real blocks.
func Allocate(file *os.File, size int64) error { return fill(file, size) }

// Forget drops what the system remembers of a file's bytes, where it can be told to.
func Forget(*os.File) {}

// Package smalldisk gives tests a disk of their own that can be filled to the
// last byte and read raw.
package smalldisk

import "testing"

// Disk is a mounted file system. It is taken away at the end of the test.
type Disk struct {
	tb    testing.TB
	dir   string
	image string // of Image
}

// Dir is the top folder of the disk.
func (d *Disk) Dir() string { return d.dir }

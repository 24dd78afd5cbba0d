package store

import "branchbot/internal/disk"

// MakeFolder is disk.MakeFolder with the codes of the store. Code: disk_full.
func MakeFolder(path string) error { return diskError(disk.MakeFolder(path)) }

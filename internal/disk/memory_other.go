//go:build !linux

package disk

// Memory is a folder on a file system in memory, "" where there is none.
func Memory() string { return "" }

// Private makes a folder that is ours alone: not asked for where Memory has none.
func Private(string) bool { return false }

// Owned reports whether a folder is there and ours alone, as Private.
func Owned(string) bool { return false }

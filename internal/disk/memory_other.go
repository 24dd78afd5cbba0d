//go:build !linux

package disk

// Memory is a folder on a file system in memory, "" where there is none.
func Memory() string { return "" }

// Private reports whether a folder is ours alone: not asked where Memory has none.
func Private(string) bool { return false }

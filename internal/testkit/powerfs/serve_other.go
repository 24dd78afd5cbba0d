//go:build !linux

package powerfs

// ServeIfChild does nothing: there is no such child on this system.
func ServeIfChild() {}

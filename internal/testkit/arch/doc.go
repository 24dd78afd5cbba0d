// Package arch holds the rules of the tree that a compiler does not: which
// folder may import which, where a dormant library may be used, what only cmd/
// may call, and that no test is skipped silently.
//
// Check reads the source files itself. A test that asked `go list` would be
// cached as passing after somebody broke a rule; files opened by the test are
// seen by the cache. When it fails, mend the design, not the rule.
package arch

package pack

import "go.starlark.net/syntax"

// Dialect is the script language: Starlark with while and set, without
// recursion. Names that load brings count as top level, so that a login or a
// probe may stand in a file of its own.
func Dialect() *syntax.FileOptions {
	return &syntax.FileOptions{Set: true, While: true, LoadBindsGlobally: true}
}

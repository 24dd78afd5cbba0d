// Package all lists every builtin module of the script language.
package all

import "branchbot/bots/modules"

// Modules returns the factories of all builtins.
func Modules() []modules.Factory { return nil }

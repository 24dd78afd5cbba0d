// Package all lists every builtin module of the script language.
package all

import (
	"branchbot/bots/modules"
	"branchbot/bots/modules/core"
	"branchbot/bots/modules/ocr"
	"branchbot/bots/modules/review"
)

// Modules returns the factories of all builtins.
func Modules() []modules.Factory {
	return []modules.Factory{core.Factory(), ocr.Factory(), review.Factory()}
}

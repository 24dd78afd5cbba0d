// Package all lists every builtin module of the script language.
package all

import (
	"branchbot/bots/modules"
	"branchbot/bots/modules/browser"
	"branchbot/bots/modules/core"
	"branchbot/bots/modules/http"
	"branchbot/bots/modules/ocr"
	"branchbot/bots/modules/review"
	"branchbot/bots/modules/verify"
)

// Modules returns the factories of all builtins.
func Modules() []modules.Factory {
	return []modules.Factory{browser.Factory(), core.Factory(), http.Factory(), ocr.Factory(), review.Factory(), verify.Factory()}
}

package browser

import (
	"go.starlark.net/starlark"

	"branchbot/bots/modules"
	"branchbot/bots/modules/submit"
)

var _ modules.Settler = (*module)(nil)

// Settle looks up what became of a submit that an earlier runner may have sent.
func (m *module) Settle(thread *starlark.Thread, scope modules.Scope) (map[string]string, bool, error) {
	return submit.Settle(m.rt, thread, scope, m.closing())
}

// closing closes the pages that are opened from now on.
func (m *module) closing() func() {
	count := len(m.pages)
	return func() {
		for len(m.pages) > count {
			m.drop(m.pages[len(m.pages)-1])
		}
	}
}

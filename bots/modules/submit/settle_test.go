package submit

import (
	"testing"
	"unicode/utf8"

	"branchbot/bots/guard"
)

// The parts of a key come back out of the journal as they went in.
func FuzzSplitKey(f *testing.F) {
	f.Add("310101199001011234", "01")
	f.Add(`a|b\`, `\|`)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return // the journal is JSON
		}
		canonical := guard.BusinessKey([]string{a, b})
		parts := splitKey(canonical)
		if len(parts) != 2 || guard.BusinessKey(parts) != canonical {
			t.Errorf("%q, %q: %q → %q", a, b, canonical, parts)
		}
	})
}

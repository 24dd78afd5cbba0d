package spell_test

import (
	"testing"

	"branchbot/internal/spell"
)

func TestNear(t *testing.T) {
	t.Parallel()
	names := []string{"submits", "logins", "inputs"}
	for _, c := range []struct{ word, near, nearest string }{
		{"submit", "submits", "submits"},
		{"longins", "logins", "logins"},
		{"inputs", "inputs", "inputs"},
		{"zebra-crossing", "", "logins"},
		{"", "", "logins"},
	} {
		if got := spell.Near(c.word, names); got != c.near {
			t.Errorf("near %q: %q, want %q", c.word, got, c.near)
		}
		if got := spell.Nearest(c.word, names); got != c.nearest {
			t.Errorf("nearest %q: %q, want %q", c.word, got, c.nearest)
		}
	}
	if got := spell.Near("x", nil); got != "" {
		t.Errorf("near nothing: %q", got)
	}
}

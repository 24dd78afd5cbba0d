package binaries

import (
	"os/exec"
	"path/filepath"
	"testing"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	for range 2 { // the second finds all up to date
		folder := Build(t, "botpack")
		if output, err := exec.CommandContext(t.Context(), filepath.Join(folder, "botpack"), "--help").CombinedOutput(); err != nil {
			t.Errorf("botpack --help: %v\n%s", err, output)
		}
	}
}

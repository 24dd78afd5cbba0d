package headoffice_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"branchbot/headoffice"
)

// A server and commands that start at the same moment in an empty folder agree
// on one authority and one key file.
func TestManyStartAtOnce(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "fresh")
	const many = 6
	authorities := make([]string, many)
	var wait sync.WaitGroup
	for i := range many {
		wait.Go(func() {
			parts, err := headoffice.Open(t.Context(), data)
			if err != nil {
				t.Error(err)
				return
			}
			authorities[i] = parts.Authority.PEM()
			if err := parts.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, authority := range authorities {
		if authority != authorities[0] {
			t.Fatal("two authorities were made")
		}
	}
	for _, name := range []string{"headoffice.key", "headoffice.db"} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || name == "headoffice.key" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"branchbot/internal/disk"
)

func TestMakeFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b", "c")
	for range 2 { // the second time it is there
		if err := disk.MakeFolder(deep); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(deep); err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("made %v, %v", info, err)
	}
	file := filepath.Join(root, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := disk.MakeFolder(path); err == nil {
			t.Errorf("%s was made a folder", path)
		}
	}
}

// A folder that is there is enough, also where the one above it is nobody's to write.
func TestMakeFolderThatIsThere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{".", "/proc/self", t.TempDir() + "/"} {
		if err := disk.MakeFolder(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

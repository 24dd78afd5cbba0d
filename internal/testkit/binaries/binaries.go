// Package binaries builds our programs for tests that start them.
//
// They go into out/test-bin of the work tree, one folder per way of building:
// the go command links a program again only when its sources have changed, so
// every package that asks gets the present programs, and only the first one waits.
package binaries

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needsCgo are the programs that cannot be built without a C compiler.
func needsCgo() []string { return []string{"branchbot-ocr"} }

// Build builds the named programs as `make build` does and returns their folder.
func Build(tb testing.TB, programs ...string) string {
	tb.Helper()
	root := Root(tb)
	folder := filepath.Join(root, "out", "test-bin", "shipped")
	for _, cgo := range []bool{false, true} {
		chosen := slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return slices.Contains(needsCgo(), p) != cgo })
		build(tb, root, folder, cgo, chosen, "-trimpath", "-ldflags", "-s -w")
	}
	return folder
}

// BuildRace builds the named programs with the race detector when the test has
// it, else as Build does. The detector's shadow counts as data: such a program
// needs a run memory of 1 GiB or more, and dies at the usual 256 MiB.
func BuildRace(tb testing.TB, programs ...string) string {
	tb.Helper()
	if !Race {
		return Build(tb, programs...)
	}
	root := Root(tb)
	folder := filepath.Join(root, "out", "test-bin", "race")
	build(tb, root, folder, true, programs, "-race")
	return folder
}

func build(tb testing.TB, root, folder string, cgo bool, programs []string, flags ...string) {
	tb.Helper()
	if len(programs) == 0 {
		return
	}
	args := append([]string{"build", "-buildvcs=false", "-o", folder + string(filepath.Separator)}, flags...)
	for _, program := range programs {
		args = append(args, "./cmd/"+program)
	}
	command := exec.CommandContext(tb.Context(), "go", args...)
	command.Dir = root
	command.Env = append(os.Environ(), fmt.Sprintf("CGO_ENABLED=%d", toInt(cgo)))
	listSources(tb, root)
	unlock := lock(tb, folder)
	defer unlock()
	if output, err := command.CombinedOutput(); err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// listSources reads every folder of the module, so that the go command's cache
// of test results knows what the programs are made of: it does not see what a
// child process reads, and would answer "passed" after a change.
func listSources(tb testing.TB, root string) {
	tb.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (name == "node_modules" || name == "out" || name == "bin" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Root returns the top folder of the module: the first with a go.mod, upwards.
func Root(tb testing.TB) string {
	tb.Helper()
	folder, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			tb.Fatal("no go.mod above the test")
		}
		folder = parent
	}
}

//go:build unix

package binaries

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// lock keeps the test programs of other packages from building into folder at
// the same time. The system frees it when a holder dies.
func lock(tb testing.TB, folder string) (unlock func()) {
	tb.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		tb.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		tb.Fatal(err)
	}
	return func() { _ = file.Close() }
}

//go:build linux

package disk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// Bytes are overwritten before the name goes; what has another name elsewhere, or is
// only pointed to, is not touched.
func TestRemoveAll(t *testing.T) {
	t.Parallel()
	folder, outside := filepath.Join(t.TempDir(), "scratch"), t.TempDir()
	secret := bytes.Repeat([]byte("secret"), 500_000)
	write := func(path string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, secret, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	open := func(path string) *os.File {
		t.Helper()
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	write(filepath.Join(folder, "profile", "Default", "History"))
	write(filepath.Join(outside, "pointed to"))
	write(filepath.Join(outside, "shared"))
	err := errors.Join(
		os.Symlink(filepath.Join(outside, "pointed to"), filepath.Join(folder, "link")),
		os.Symlink(outside, filepath.Join(folder, "link to a folder")),
		os.Symlink("nowhere", filepath.Join(folder, "dangling")),
		os.Link(filepath.Join(outside, "shared"), filepath.Join(folder, "shared")),
		syscall.Mkfifo(filepath.Join(folder, "fifo"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	left := open(filepath.Join(folder, "profile", "Default", "History"))
	if err := disk.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, len(secret))
	if n, err := left.ReadAt(content, 0); n != len(secret) || err != nil || len(bytes.Trim(content, "\x00")) > 0 {
		t.Errorf("%d bytes of %d are not overwritten, %v", len(bytes.Trim(content, "\x00")), n, err)
	}
	for _, name := range []string{"pointed to", "shared"} {
		if kept, err := os.ReadFile(filepath.Join(outside, name)); err != nil || !bytes.Equal(kept, secret) {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if _, err := os.Lstat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := errors.Join(disk.RemoveAll(folder), disk.Remove(filepath.Join(folder, "gone"))); err != nil {
		t.Errorf("what is gone is no error: %v", err)
	}
}

// A folder in memory is used only when it is ours alone.
func TestPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, link := filepath.Join(dir, "open"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o755), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{filepath.Join(dir, "new"): true, open: false, link: false, filepath.Join(dir, "no", "parent"): false} {
		for range 2 {
			if got := disk.Private(path); got != want {
				t.Errorf("%s: %t, want %t", path, got, want)
			}
		}
	}
}

func TestIsFull(t *testing.T) {
	t.Parallel()
	for text, full := range map[error]bool{
		nil: false, syscall.EIO: false, syscall.ENOSPC: true, syscall.EDQUOT: true,
		errors.New("file resize error: " + syscall.ENOSPC.Error()): true, &os.PathError{Op: "write", Err: syscall.ENOSPC}: true,
	} {
		if got := disk.IsFull(text); got != full {
			t.Errorf("%v: %t", text, got)
		}
		if got := fault.HasCode(disk.ScratchError(text), "scratch_full"); got != full {
			t.Errorf("scratch, %v: %t", text, got)
		}
	}
}

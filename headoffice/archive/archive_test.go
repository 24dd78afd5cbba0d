package archive_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"branchbot/headoffice/archive"
	"branchbot/internal/fault"
)

// packed is an archive of two files.
func packed(t testing.TB) []byte {
	t.Helper()
	folder := t.TempDir()
	var out bytes.Buffer
	w := archive.NewWriter(&out, time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "one")
	for _, name := range []string{"headoffice.db", "evidence/dev_a/aa/picture"} {
		path := filepath.Join(folder, filepath.Base(name))
		if err := os.WriteFile(path, []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(name, path); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add("gone", filepath.Join(folder, "gone")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatWasPackedIsUnpacked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	contents, err := archive.Unpack(bytes.NewReader(packed(t)), folder)
	if err != nil || len(contents.Files) != 2 || contents.Incarnation != "one" {
		t.Fatalf("%+v, %v", contents, err)
	}
	for _, file := range contents.Files {
		got, err := os.ReadFile(filepath.Join(folder, file.Name))
		if err != nil || string(got) != "content of "+file.Name {
			t.Errorf("%s: %q, %v", file.Name, got, err)
		}
	}
}

// Names that lead elsewhere, links and doubles are refused.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, header := range []tar.Header{
		{Name: "../outside", Typeflag: tar.TypeReg},
		{Name: "/etc/outside", Typeflag: tar.TypeReg},
		{Name: `a\b`, Typeflag: tar.TypeReg},
		{Name: "c:x", Typeflag: tar.TypeReg},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "folder", Typeflag: tar.TypeDir},
	} {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(t.TempDir(), "in")
		if _, err := archive.Unpack(&out, folder); !fault.HasCode(err, "backup_damaged") {
			t.Errorf("%s: %v", header.Name, err)
		}
		if left, err := os.ReadDir(folder); err == nil && len(left) > 0 {
			t.Errorf("%s left %v", header.Name, left)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	whole := packed(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("not a tar"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		root := t.TempDir()
		_, _ = archive.Unpack(bytes.NewReader(raw), filepath.Join(root, "in"))
		if entries, err := os.ReadDir(root); err != nil || len(entries) > 1 {
			t.Errorf("wrote beside the folder: %v, %v", entries, err)
		}
	})
}

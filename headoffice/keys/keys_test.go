package keys

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"branchbot/internal/fault"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	first, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := first.Seal("ca", []byte("private"))
	if bytes.Contains(sealed, []byte("private")) {
		t.Error("the key stands in clear")
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open("ca", sealed); err != nil || string(plain) != "private" {
		t.Errorf("got %q, %v", plain, err)
	}
	other, err := Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	spoiled := bytes.Clone(sealed)
	spoiled[len(spoiled)-1] ^= 1
	for _, c := range []struct {
		name, key string
		wrapper   *Wrapper
		sealed    []byte
	}{
		{"under another name", "state", first, sealed},
		{"with another file", "ca", other, sealed},
		{"spoiled", "ca", first, spoiled},
		{"empty", "ca", first, nil},
	} {
		if _, err := c.wrapper.Open(c.key, c.sealed); !fault.HasCode(err, "key_unwrap_failed") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if _, err := Create(path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second: %v, want fs.ErrExist", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key file changed: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, content, code string
		mode                fs.FileMode
	}{
		{"short", "AAAA", "key_file_invalid", 0o600},
		{"text", "not base64!", "key_file_invalid", 0o600},
		{"readable by the group", "AAAA", "key_file_readable", 0o640},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !fault.HasCode(err, c.code) {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); !fault.HasCode(err, "key_file_missing") {
		t.Errorf("missing: %v", err)
	}
}

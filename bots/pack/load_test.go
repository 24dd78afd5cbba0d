package pack

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"branchbot/internal/fault"
)

const small = "name: small\nversion: 1.0.0\ntitle: Small\n"

const smallScript = "def run(input):\n    pass\n"

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFolderAndFileAreTheSamePack(t *testing.T) {
	t.Parallel()
	files := map[string]string{"pack.yaml": small, "main.star": smallScript, "lib/a.star": "x = 1\n", "fixtures/卡.png": "\x00\x01"}
	dir := folder(t, files)
	p, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.Zip()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "small.bot")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	files[".git/config"], files["lib/.hidden"] = "x", "y" // not part of the pack
	for _, path := range []string{file, folder(t, files)} {
		other, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		again, err := other.Zip()
		if err != nil || other.Digest != p.Digest || !bytes.Equal(data, again) {
			t.Errorf("%s: digest %s and %d bytes, want %s and %d", path, other.Digest, len(again), p.Digest, len(data))
		}
	}
}

func TestDigestSeesEveryChange(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, more := range map[string]fstest.MapFS{
		"plain":   {},
		"a":       {"a": {Data: []byte("bc")}},
		"ab":      {"ab": {Data: []byte("c")}},
		"content": {"a": {Data: []byte("bd")}},
		"empty":   {"a": {Data: nil}},
		"two":     {"a": {Data: []byte("b")}, "c": {Data: nil}},
	} {
		more[ManifestFile], more[MainFile] = &fstest.MapFile{Data: []byte(small)}, &fstest.MapFile{Data: []byte(smallScript)}
		p, err := FromFS(more)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[p.Digest]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[p.Digest] = name
	}
}

func TestFolderRefused(t *testing.T) {
	t.Parallel()
	good := func() map[string]string { return map[string]string{"pack.yaml": small, "main.star": smallScript} }
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := folder(t, good())
	if err := os.Symlink(secret, filepath.Join(link, "fixture")); err != nil {
		t.Fatal(err)
	}
	linkedManifest := folder(t, map[string]string{"main.star": smallScript})
	if err := os.Symlink(secret, filepath.Join(linkedManifest, "pack.yaml")); err != nil {
		t.Fatal(err)
	}
	with := func(name, content string) string {
		files := good()
		files[name] = content
		return folder(t, files)
	}
	for name, tc := range map[string]struct{ path, code, text string }{
		"not there":       {filepath.Join(t.TempDir(), "none"), "pack_not_found", "none"},
		"a link":          {link, "pack_invalid", "fixture is a link"},
		"manifest a link": {linkedManifest, "pack_invalid", "link"},
		"no manifest":     {folder(t, map[string]string{"main.star": smallScript}), "pack_invalid", "no pack.yaml"},
		"no script":       {folder(t, map[string]string{"pack.yaml": small}), "pack_invalid", "no main.star"},
		"wrong manifest":  {with("pack.yaml", small+"ownr: x\n"), "pack_invalid", "pack.yaml:4:1: unknown key"},
		"large script":    {with("big.star", strings.Repeat("#", maxScript+1)), "pack_too_large", "big.star"},
		"large file":      {with("big.png", strings.Repeat("#", maxFile+1)), "pack_too_large", "big.png"},
		"odd name":        {with("a\\b", ""), "pack_invalid", "no name"},
		"drive":           {with("c:x", ""), "pack_invalid", "no name"},
		"two in one":      {with("MAIN.star", ""), "pack_invalid", "same name"},
		"not a pack":      {secret, "pack_invalid", "not a pack file"},
	} {
		_, err := Load(tc.path)
		if !fault.HasCode(err, tc.code) || !strings.Contains(err.Error(), tc.text) || fault.ExitCode(err) != 2 {
			t.Errorf("%s: got %v, want %s with %q", name, err, tc.code, tc.text)
		}
	}
}

// entry is one file of a hostile archive.
type entry struct {
	name, content string
	mode          fs.FileMode
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func hostile(t testing.TB) map[string][]byte {
	manifest, script := entry{"pack.yaml", small, 0}, entry{"main.star", smallScript, 0}
	many := []entry{manifest, script}
	for i := range maxFiles {
		many = append(many, entry{name: fmt.Sprint("f", i)})
	}
	return map[string][]byte{
		"escape":        archive(t, manifest, script, entry{"../evil", "x", 0}),
		"escape inside": archive(t, manifest, script, entry{"a/../../evil", "x", 0}),
		"absolute":      archive(t, manifest, script, entry{"/etc/passwd", "x", 0}),
		"backslash":     archive(t, manifest, script, entry{`..\evil`, "x", 0}),
		"drive":         archive(t, manifest, script, entry{"C:evil", "x", 0}),
		"hidden":        archive(t, manifest, script, entry{".bashrc", "x", 0}),
		"control":       archive(t, manifest, script, entry{"a\nb", "x", 0}),
		"not utf-8":     archive(t, manifest, script, entry{"a\xff", "x", 0}),
		"empty name":    archive(t, manifest, script, entry{"", "x", 0}),
		"long name":     archive(t, manifest, script, entry{strings.Repeat("x", 300), "x", 0}),
		"link":          archive(t, manifest, script, entry{"l", "/etc/passwd", fs.ModeSymlink | 0o777}),
		"device":        archive(t, manifest, script, entry{"d", "", fs.ModeDevice | 0o666}),
		"twice":         archive(t, manifest, script, manifest),
		"twice by case": archive(t, manifest, script, entry{"Pack.yaml", small, 0}),
		"many":          archive(t, many...),
		"cut":           archive(t, manifest, script)[:100],
		"empty":         {},
	}
}

// bombs are small and become large.
func bombs(t testing.TB) map[string][]byte {
	manifest, script, zeros := entry{"pack.yaml", small, 0}, entry{"main.star", smallScript, 0}, strings.Repeat("\x00", maxFile)
	return map[string][]byte{
		"bomb":          archive(t, manifest, script, entry{"z", zeros + "0", 0}),
		"bomb in parts": archive(t, manifest, script, entry{"y", zeros, 0}, entry{"z", zeros, 0}),
		"script bomb":   archive(t, manifest, entry{"main.star", zeros, 0}),
	}
}

func TestHostileFiles(t *testing.T) {
	t.Parallel()
	files := hostile(t)
	maps.Copy(files, bombs(t))
	for name, data := range files {
		p, err := Read(data)
		if code := fault.Code(err); p != nil || code != "pack_invalid" && code != "pack_too_large" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, data := range hostile(f) {
		f.Add(data)
	}
	f.Add(archive(f, entry{"pack.yaml", small, 0}, entry{"main.star", smallScript, 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Read(data)
		if err != nil {
			return
		}
		out, err := p.Zip()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(out)
		if err != nil || again.Digest != p.Digest {
			t.Fatalf("a pack that was read cannot be written and read again: %v", err)
		}
		p.Check()
	})
}

func FuzzManifest(f *testing.F) {
	data, err := os.ReadFile("testdata/complete.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(small))
	for _, tc := range wrongManifests() {
		f.Add([]byte(tc.yaml))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, problems := ParseManifest(data)
		if m == nil && len(problems) == 0 {
			t.Fatal("neither a manifest nor a problem")
		}
		for _, p := range problems {
			if p.Line < 1 || p.Code == "" || p.Message == "" {
				t.Fatalf("a problem without place, code or text: %+v", p)
			}
		}
	})
}

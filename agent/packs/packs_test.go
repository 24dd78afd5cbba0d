package packs_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"branchbot/agent/packs"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

func archive(t *testing.T, version string) (*pack.Pack, []byte) {
	t.Helper()
	p, err := pack.FromFS(fstest.MapFS{
		"pack.yaml": {Data: []byte("name: brought\nversion: " + version + "\ntitle: {en: Brought}\nowner: tests\n")},
		"main.star": {Data: []byte("def run(input):\n    return {}\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.Zip()
	if err != nil {
		t.Fatal(err)
	}
	return p, raw
}

func TestARunFindsThePackItIsPinnedTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shipped, _ := archive(t, "1.0.0")
	brought, raw := archive(t, "2.0.0")
	kept, err := packs.New(dir, nil).Keep(raw)
	if err != nil || kept.Digest != brought.Digest {
		t.Fatalf("keep: %v", err)
	}
	later := packs.New(dir, []*pack.Pack{shipped}) // after a restart
	for _, want := range []*pack.Pack{shipped, brought} {
		if got, err := later.ByDigest(want.Digest); err != nil || got.Manifest.Version != want.Manifest.Version {
			t.Errorf("version %s: %v", want.Manifest.Version, err)
		}
	}
	if got, err := later.Find("brought"); err != nil || got != shipped {
		t.Errorf("by name: %v, %v; want the shipped one", got, err)
	}
	if _, err := later.Find("nothing"); !fault.HasCode(err, "bot_unknown") {
		t.Errorf("by an unknown name: %v", err)
	}
	if _, err := later.ByDigest("sha256:00"); !fault.HasCode(err, "pack_gone") {
		t.Errorf("by an unknown digest: %v", err)
	}
}

// A copy that was changed on the disk is never run, and bringing the pack again mends it.
func TestChangedCopies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	brought, raw := archive(t, "2.0.0")
	_, other := archive(t, "3.0.0")
	p := packs.New(dir, nil)
	if _, err := p.Keep(raw); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "packs", "*.zip"))
	if err != nil || len(files) != 1 {
		t.Fatalf("copies %v, %v", files, err)
	}
	for name, content := range map[string][]byte{"another pack": other, "cut": raw[:len(raw)/2], "empty": {}} {
		if err := os.WriteFile(files[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ByDigest(brought.Digest); err == nil {
			t.Errorf("%s: was taken for the pack", name)
		}
		if _, err := p.Keep(raw); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ByDigest(brought.Digest); err != nil {
			t.Errorf("%s: bringing the pack again did not mend it: %v", name, err)
		}
	}
	if _, err := p.Keep([]byte("no pack")); !fault.HasCode(err, "pack_invalid") {
		t.Errorf("keep of no pack: %v", err)
	}
}

// Package install_test tries the set-up script in made-up systems: a folder of
// small programs is its whole path.
package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// always are the real programs that the script may call everywhere.
var always = []string{"sh", "sed", "sort", "head", "grep", "tr", "dirname", "env"}

// system is what a made-up machine has, as shell text by program name.
type system map[string]string

func debian() system {
	installed := "echo installed"
	return system{
		"go": "echo go1.99.0", "apt-get": `echo "$@" >>"$CALLS"`, "dpkg-query": installed, "id": "echo 0",
		"chromium": "", "gcc": "", "g++": "", "make": "", "git": "", "npm": "", "node": "echo v20.1.0",
	}
}

func (s system) without(names ...string) system {
	for _, name := range names {
		delete(s, name)
	}
	return s
}

func (s system) with(name, script string) system {
	s[name] = script
	return s
}

// run returns what the script said, whether it was content, and what it asked of apt-get.
func (s system) run(t *testing.T, args ...string) (said string, ok bool, calls string) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range always {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range s {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	log := filepath.Join(bin, "calls.txt")
	command := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"deps.sh"}, args...)...)
	command.Env = []string{"PATH=" + bin, "CALLS=" + log, "BIN=" + bin}
	output, err := command.CombinedOutput()
	text, _ := os.ReadFile(log) // apt-get was not called: no file
	return string(output), err == nil, string(text)
}

func TestDeps(t *testing.T) {
	t.Parallel()
	absent := func(packages string) string {
		return `case " ` + packages + ` " in *" $4 "*) ;; *) echo installed;; esac`
	}
	mends := `echo "$@" >>"$CALLS"; case "$*" in *install*) printf '#!/bin/sh\necho installed\n' >"$BIN/dpkg-query";; esac`
	for _, tc := range []struct {
		name   string
		system system
		args   []string
		ok     bool
		says   []string
		calls  string
	}{
		{name: "all there: silent, no root", system: debian().with("id", "echo 1000"), ok: true},
		{
			name: "one package", system: debian().with("dpkg-query", absent("fonts-ocr-b")).with("apt-get", mends), ok: true,
			says: []string{"installing with apt-get: fonts-ocr-b", "done"}, calls: "update -qq\ninstall -y -qq --no-install-recommends fonts-ocr-b\n",
		},
		{
			name: "only asked", system: debian().with("dpkg-query", absent("fonts-ocr-b")), args: []string{"--check"},
			says: []string{"missing: fonts-ocr-b"},
		},
		{
			name: "not root, sudo", ok: true,
			system: debian().with("id", "echo 1000").with("sudo", `"$@"`).with("dpkg-query", absent("libtesseract-dev")).with("apt-get", mends),
			says:   []string{"libtesseract-dev"}, calls: "update -qq\ninstall -y -qq --no-install-recommends libtesseract-dev\n",
		},
		{
			name: "not root, no sudo", system: debian().with("id", "echo 1000").with("dpkg-query", absent("fonts-ocr-b")),
			says: []string{"root is needed", "sudo"},
		},
		{
			name: "lists cannot be updated, packages are there all the same", ok: true,
			system: debian().with("dpkg-query", absent("fonts-ocr-b")).with("apt-get", `[ "$1" != update ] || exit 100; `+mends),
			says:   []string{"going on with the package lists"}, calls: "install -y -qq --no-install-recommends fonts-ocr-b\n",
		},
		{
			name: "apt-get cannot", system: debian().with("dpkg-query", absent("fonts-ocr-b")).with("apt-get", "echo no network; exit 100"),
			says: []string{"could not install: fonts-ocr-b", "no network"},
		},
		{
			name: "apt-get says yes and does nothing", system: debian().with("dpkg-query", absent("fonts-ocr-b")),
			says: []string{"still missing", "fonts-ocr-b"}, calls: "update -qq\ninstall -y -qq --no-install-recommends fonts-ocr-b\n",
		},
		{name: "old Node", system: debian().with("node", "echo v12.22.0"), args: []string{"--check"}, says: []string{"missing: nodejs"}},
		{name: "Node of Debian 12", system: debian().with("node", "echo v18.20.4"), args: []string{"--check"}, ok: true},
		{name: "Chrome for Chromium", system: debian().without("chromium").with("google-chrome-stable", ""), args: []string{"--check"}, ok: true},
		{name: "no compiler", system: debian().without("g++"), args: []string{"--check"}, says: []string{"missing: g++"}},
		{name: "no Go", system: debian().without("go"), says: []string{"Go 1.", "not on the path", "go.dev"}},
		{name: "old Go", system: debian().with("go", "echo go1.21.5"), says: []string{"or newer is needed", "1.21.5"}},
		{
			name: "another system", system: debian().without("apt-get", "dpkg-query"),
			says: []string{"not Debian or Ubuntu", "tesseract-ocr-chi-sim", "libleptonica-dev", "chromium"},
		},
		{name: "another system with all of it", system: debian().without("apt-get", "dpkg-query").with("tesseract", ""), ok: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			said, ok, calls := tc.system.run(t, tc.args...)
			if ok != tc.ok || calls != tc.calls || (len(tc.says) == 0 && said != "") {
				t.Errorf("ok %v, asked apt-get %q, said:\n%s\nwant ok %v and %q", ok, calls, said, tc.ok, tc.calls)
			}
			for _, words := range tc.says {
				if !strings.Contains(said, words) {
					t.Errorf("said %q, want %q in it", said, words)
				}
			}
		})
	}
}

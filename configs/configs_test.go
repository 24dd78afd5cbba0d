package configs

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"branchbot/internal/fault"
)

func noEnv(string) string { return "" }

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The sample as it ships changes nothing; with every "#" of a key taken away it
// still says the defaults, and no key is missing.
func TestSamples(t *testing.T) {
	t.Parallel()
	data := map[string]any{"data": "/data"}
	t.Run("device", func(t *testing.T) {
		t.Parallel()
		checkSample(t, DeviceSample, DefaultDevice(), func(path string) (Device, Sources, error) {
			d, sources, err := LoadDevice(path, noEnv, data)
			d.Data = ""
			return d, sources, err
		})
	})
	t.Run("head office", func(t *testing.T) {
		t.Parallel()
		checkSample(t, HeadOfficeSample, DefaultHeadOffice(), func(path string) (HeadOffice, Sources, error) {
			h, sources, err := LoadHeadOffice(path, noEnv, data)
			h.Data = ""
			return h, sources, err
		})
	})
}

func checkSample[T any](t *testing.T, sample []byte, want T, load func(string) (T, Sources, error)) {
	t.Helper()
	uncommented := regexp.MustCompile(`(?m)^( *)#(\S)`).ReplaceAll(sample, []byte("$1$2"))
	for name, text := range map[string][]byte{"as shipped": sample, "all keys": uncommented} {
		got, sources, err := load(write(t, string(text)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s differs from the defaults (-want +got):\n%s", name, diff)
		}
		for key, source := range sources {
			fromFile := strings.HasPrefix(source, "file ")
			if key != "data" && fromFile != bytes.Equal(text, uncommented) {
				t.Errorf("%s: %s comes from %q", name, key, source)
			}
		}
	}
}

func TestFlagsBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	t.Parallel()
	path := write(t, "data: /from/file\nlog:\n  level: warn\n  format: json\nocr: {workers: 2, memory: 2GiB}\n")
	d, sources, err := LoadDevice(path, env(map[string]string{
		"BRANCHBOT_LOG_FORMAT":  "text",
		"BRANCHBOT_OCR_WORKERS": "3",
		"BRANCHBOT_SITES":       "{core: https://core.bank.example}",
	}), map[string]any{"ocr.workers": 4, "panel.listen": "[::1]:0", "trust.certificates": []string{"ca.pem"}})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultDevice()
	want.Data, want.Panel.Listen = "/from/file", "[::1]:0"
	want.Log = Log{Level: "warn", Format: "text"}
	want.OCR = OCR{Workers: 4, Memory: 2 * GiB}
	want.Sites = map[string]string{"core": "https://core.bank.example"}
	want.Trust.Certificates = []string{"ca.pem"}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for key, source := range map[string]string{
		"data": "file " + path + ":1", "log.level": "file " + path + ":3", "log.format": "environment BRANCHBOT_LOG_FORMAT",
		"ocr.workers": "flag", "runs.attended": "default", "sites": "environment BRANCHBOT_SITES",
	} {
		if sources[key] != source {
			t.Errorf("source of %s is %q, want %q", key, sources[key], source)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file string
		flags      map[string]any
		env        map[string]string
		want       []string // in message or hint
	}{
		{name: "unknown key", file: "log:\n  levvel: info\n", want: []string{":2", `"log.levvel"`, `"level"`}},
		{name: "unknown key on top", file: "\npanle: {}\n", want: []string{":2", `"panle"`, `"panel"`}},
		{name: "unknown key in a list", file: "schedules:\n  - {bot: a, corn: '* * * * *'}\n", want: []string{":2", `schedules[0].corn`, `"cron"`}},
		{name: "key twice", file: "data: a\ndata: b\n", want: []string{"data", "twice", ":2"}},
		{name: "wrong type", file: "runs:\n  attended: many\n", want: []string{"runs.attended", `"many"`, "whole number", ":2"}},
		{name: "time without a unit", file: "limits: {run_time: 10}\n", want: []string{"limits.run_time", `"10"`, "10m"}},
		{name: "bad size", file: "ocr: {memory: 5MB}\n", want: []string{"ocr.memory", `"5MB"`, "256MiB"}},
		{name: "size too large", file: "ocr: {memory: 99999999999999GiB}\n", want: []string{"ocr.memory", "size"}},
		{name: "text for a section", file: "panel: hello\n", want: []string{"panel", `"hello"`}},
		{name: "not YAML", file: "a: [\n", want: []string{"not YAML"}},
		{name: "two documents", file: "data: a\n---\ndata: b\n", want: []string{"more than one"}},
		{name: "list at the top", file: "- a\n", want: []string{"keys and values"}},
		{name: "panel open to the network", file: "panel: {listen: '0.0.0.0:7700'}\n", want: []string{"panel.listen", `"0.0.0.0:7700"`, "loopback"}},
		{name: "panel on a name", file: "panel: {listen: 'pc17:7700'}\n", want: []string{"panel.listen", "loopback"}},
		{name: "panel without port", file: "panel: {listen: '127.0.0.1'}\n", want: []string{"panel.listen", "port"}},
		{name: "panel port too high", file: "panel: {listen: '127.0.0.1:77000'}\n", want: []string{"panel.listen", "port"}},
		{name: "log level", file: "log: {level: loud}\n", want: []string{"log.level", `"loud"`, "debug"}},
		{name: "no workers", flags: map[string]any{"ocr.workers": 0}, want: []string{"ocr.workers", "0", "between"}},
		{name: "site with a path", file: "sites: {core: 'https://a.example/x'}\n", want: []string{"sites.core", "origin"}},
		{name: "site of another scheme", file: "sites: {core: 'file:///etc'}\n", want: []string{"sites.core", "origin"}},
		{name: "site name", file: "sites: {'Core Site': 'https://a.example'}\n", want: []string{"Core Site"}},
		{name: "proxy with a password", file: "proxy: 'http://me:secret@p.example:1'\n", want: []string{"proxy", "password"}},
		{name: "schedule without cron", file: "schedules: [{bot: a}]\n", want: []string{"schedules[0].cron"}},
		{name: "two schedules of one name", file: "schedules: [{bot: a, cron: x}, {bot: a, cron: y}]\n", want: []string{"schedules[1].name", `"a"`}},
		{name: "environment", env: map[string]string{"BRANCHBOT_RUNS_ATTENDED": "x"}, want: []string{"runs.attended", "BRANCHBOT_RUNS_ATTENDED", "whole number"}},
		{name: "flag", flags: map[string]any{"runs.atended": 1}, want: []string{"runs.atended", "runs.attended"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			flags := map[string]any{"data": "/data"}
			maps.Copy(flags, tc.flags)
			_, _, err := LoadDevice(write(t, tc.file), env(tc.env), flags)
			if fault.Code(err) != "config_invalid" || fault.ExitCode(err) != 2 {
				t.Fatalf("got %v, want config_invalid and exit code 2", err)
			}
			text := err.Error() + fault.Of(err).Hint
			for _, want := range tc.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
			if strings.Contains(text, "secret") {
				t.Errorf("%q shows a password", text)
			}
		})
	}
}

func TestHeadOfficeRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"names: []\n":                "names",
		"names: ['https://x']\n":     "names",
		"database: oracle\n":         "database",
		"listen: here\n":             "listen",
		"ingest: {max_batch: 0}\n":   "ingest.max_batch",
		"auto_approve: perhaps\n":    "auto_approve",
		"ingest: {max_batches: 5}\n": "max_batch",
	} {
		_, _, err := LoadHeadOffice(write(t, text), noEnv, map[string]any{"data": "/data"})
		if fault.Code(err) != "config_invalid" || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want config_invalid naming %s", text, err, want)
		}
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	_, _, err := LoadDevice(filepath.Join(t.TempDir(), "none.yaml"), noEnv, nil)
	if fault.Code(err) != "config_invalid" {
		t.Fatalf("got %v, want config_invalid", err)
	}
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	vars := env(map[string]string{"HOME": "/home/li", "ProgramData": `C:/ProgramData`})
	for _, tc := range []struct {
		name string
		p    platform
		want string
	}{
		{"root", platform{"linux", true, vars}, "/var/lib/branchbot"},
		{"user", platform{"linux", false, vars}, "/home/li/.local/share/branchbot"},
		{"user with XDG", platform{"linux", false, env(map[string]string{"XDG_DATA_HOME": "/x"})}, "/x/branchbot"},
		{"windows", platform{"windows", false, vars}, "C:/ProgramData/branchbot"},
		{"mac", platform{"darwin", false, vars}, "/home/li/Library/Application Support/branchbot"},
		{"no home", platform{"linux", false, noEnv}, ""},
	} {
		if got := dataDir("branchbot", tc.p); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	d, sources, err := LoadDevice("", noEnv, map[string]any{"data": "/data", "limits.run_time": 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	settings := Explain(d, sources)
	for _, want := range []Setting{
		{"limits.run_time", "5m0s", "flag"},
		{"limits.run_memory", "256MiB", "default"},
		{"runs.attended", 1, "default"},
	} {
		if !slices.ContainsFunc(settings, func(s Setting) bool { return cmp.Equal(s, want) }) {
			t.Errorf("%v is missing in %v", want, settings)
		}
	}
	if len(settings) != len(sources) {
		t.Errorf("%d settings, %d sources", len(settings), len(sources))
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("log: {level: info}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("schedules: [{bot: a, inputs: {x: {1: 2}}}]\n"))
	f.Add(DeviceSample)
	f.Fuzz(func(t *testing.T, text []byte) {
		d := DefaultDevice()
		d.Data = "/data"
		err := decodeFile(&d, bytes.NewReader(text), "f", Sources{})
		if err == nil {
			err = d.Validate()
		}
		if err != nil && fault.Code(err) != "config_invalid" {
			t.Errorf("%q: %v has no code", text, err)
		}
	})
}

//go:build linux

package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchbot/internal/fault"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
	"branchbot/ocr"
)

// codeOf is the code in the last line that a failed command wrote to stderr.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	text := err.Error()
	if !strings.Contains(text, `{"error"`) {
		t.Fatalf("no error line in %q", text)
	}
	var line struct{ Error fault.Wire }
	if problem := json.Unmarshal([]byte(text[strings.Index(text, `{"error"`):]), &line); problem != nil {
		t.Fatalf("no error line in %q: %v", text, problem)
	}
	if line.Error.Hint == "" {
		t.Errorf("%s has no hint", line.Error.Code)
	}
	return line.Error.Code
}

// scripted is a pack with the given script and limits.
func scripted(t *testing.T, name, limits, script string) string {
	t.Helper()
	dir := t.TempDir()
	manifest := fmt.Sprintf("name: %s\nversion: 1.0.0\ntitle: {en: %s}\nowner: tests\nlimits: %s\n", name, name, limits)
	for file, content := range map[string]string{"pack.yaml": manifest, "main.star": script} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBadWorld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	data := []string{"--input", "name=王小明", "--input", "number=" + number}
	loop := scripted(t, "loop", "{time: 2s, steps: 100000000000}", "def run(input):\n    for i in range(1000000000):\n        pass\n")
	hog := scripted(t, "hog", "{memory: 96MiB}", "def run(input):\n    s = \"x\" * 1000000\n    kept = []\n    for i in range(10000):\n        kept.append(s * 10 + str(i))\n")
	wrong := scripted(t, "wrong", "{time: 1m}", "def inner(x):\n    return x[\"b\"]\n\ndef run(input):\n    return inner({\"a\": 1})\n")
	for _, c := range []struct {
		name string
		args []string
		exit int
		code string
	}{
		{"unknown bot", []string{"run", "no-such-bot"}, 2, "bot_unknown"},
		{"no pack", []string{"run"}, 2, "usage"},
		{"missing input", []string{"run", typed}, 2, "input_missing"},
		{"wrong input", append([]string{"run", typed, "--input", "name=x"}, "--input", "number=12"), 2, "input_invalid"},
		{"unknown input", append([]string{"run", typed, "--input", "title=x"}, data...), 2, "input_unknown"},
		{"file that is not there", []string{"run", "id-check", "--input", "document=@/no/such/file"}, 2, "input_unreadable"},
		{"file without end", []string{"run", "id-check", "--input", "document=@/dev/zero"}, 2, "input_unreadable"},
		{"script error", []string{"run", wrong}, 1, "script_error"},
		{"endless loop", []string{"run", loop}, 1, "run_deadline"},
		{"memory", []string{"run", hog}, 1, "run_memory"},
		{"unknown run", []string{"runs", "run_nothing"}, 2, "run_unknown"},
		{"head office away", []string{"enroll", "--head-office", "https://127.0.0.1:1", "--token", someToken(t, w)}, 6, "head_office_unreachable"},
		{"not a token", []string{"enroll", "--head-office", "https://127.0.0.1:1", "--token", "abc"}, 2, "token_invalid"},
		{"no agent", []string{"trigger", "id-check"}, 1, "agent_not_running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.Branchbot(t.Context(), "", append(c.args, "--json")...)
			if got, code := exitCode(err), codeOf(t, err); got != c.exit || code != c.code {
				t.Errorf("exit %d with %s, want %d with %s: %v", got, code, c.exit, c.code, err)
			}
		})
	}
}

func TestScriptErrorSaysWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	wrong := scripted(t, "wrong", "{time: 1m}", "def inner(x):\n    return x[\"b\"]\n\ndef run(input):\n    return inner({\"a\": 1})\n")
	out, err := w.Branchbot(t.Context(), "", "run", wrong, "--json")
	view, _ := runOf(t, out, err)
	for _, want := range []string{"main.star:2:13", "main.star:5:17", "inner", "run"} {
		if !strings.Contains(view.Exception.Where, want) {
			t.Errorf("where %q does not say %s", view.Exception.Where, want)
		}
	}
}

func TestSiteIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.Serving.Close(); err != nil {
		t.Fatal(err)
	}
	view, code := open(t, w, "plain", number)
	if code != 6 || view.Exception == nil || view.Exception.Code != "site_unreachable" {
		t.Errorf("exit %d, %+v; want 6 and site_unreachable", code, view.Exception)
	}
}

func TestWithoutBrowserOrReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{Config: "browser: {path: /no/such/chromium}\nocr: {program: /no/such/reader}\n"})
	if view, code := open(t, w, "plain", number); code != 1 || view.Exception.Code != "browser_missing" {
		t.Errorf("exit %d, %+v; want 1 and browser_missing", code, view.Exception)
	}
	card, err := w.DrawCard(1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Branchbot(t.Context(), "", "ocr", card, "--kind", "cn_id_card", "--json")
	if exitCode(err) != 1 || !bytes.Contains(out, []byte(`"ocr_missing"`)) {
		t.Errorf("exit %d, %s; want 1 and ocr_missing", exitCode(err), out)
	}
}

func TestTheAgentStaysUpAndOwnsItsFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := w.Branchbot(t.Context(), "", "run", typed, "--json", "--input", "name=x", "--input", "number="+number)
	if exitCode(err) != 2 || codeOf(t, err) != "data_in_use" {
		t.Errorf("a foreground run beside the agent: %v; want exit 2 and data_in_use", err)
	}
	wrong := scripted(t, "wrong", "{time: 1m}", "def run(input):\n    return 1 // 0\n")
	if _, err := w.Branchbot(t.Context(), "", "trigger", wrong, "--wait", "--json"); exitCode(err) != 1 {
		t.Errorf("a wrong script: %v; want exit 1", err)
	}
	if _, err := w.Branchbot(t.Context(), "", "agent", "--json"); err == nil {
		t.Error("a second agent started on the same folder")
	}
	other := w.Path("other.yaml")
	taken, err := os.ReadFile(w.Path("device.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Replace(taken, []byte(w.Device()), []byte(w.Path("other")), 1)
	if err := os.WriteFile(other, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.StartOther(t.Context(), other); err == nil || !strings.Contains(err.Error(), "port_taken") {
		t.Errorf("an agent on a taken port: %v; want port_taken", err)
	}
	if _, err := w.Branchbot(t.Context(), "", "runs"); err != nil {
		t.Errorf("the agent does not answer any more: %v", err)
	}
}

func TestUnreadableFilesAreLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, world.Options{})
	card, err := w.DrawCard(1)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"empty.jpg": {}, "text.png": []byte("this is not a picture"), "cut.jpg": whole[:len(whole)/3], "bomb.png": bombPNG(60000, 60000),
	}
	args := []string{"ocr", "--kind", "cn_id_card", "--expect", "name=" + w.Person.Name, "--json"}
	for _, name := range []string{"empty.jpg", "text.png", "cut.jpg", "bomb.png"} {
		if err := os.WriteFile(w.Path(name), files[name], 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, w.Path(name))
	}
	out, err := w.Branchbot(t.Context(), "", append(args, card)...)
	if exitCode(err) != 1 {
		t.Errorf("exit %d, want 1", exitCode(err))
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != 5 {
		t.Fatalf("%d lines for 5 files: %s", len(lines), out)
	}
	for i, want := range []string{"picture_empty", "picture_unreadable", "picture_unreadable", "picture_too_large", ""} {
		var line struct {
			Verdict string
			Error   *fault.Wire
		}
		if err := json.Unmarshal(lines[i], &line); err != nil {
			t.Fatal(err)
		}
		got := ""
		if line.Error != nil {
			got = line.Error.Code
		}
		if got != want || (want != "") != (line.Verdict == ocr.Reject) {
			t.Errorf("line %d: %s, verdict %s; want %q", i, got, line.Verdict, want)
		}
	}
}

// bombPNG is a small file whose header promises an enormous picture.
func bombPNG(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32(nil, width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append([]byte("IHDR"), append(header, 8, 0, 0, 0, 0)...)
	file := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	file = append(file, header...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
}

// someToken has the form of an enrolment token and belongs to no head office.
func someToken(t *testing.T, w *world.World) string {
	t.Helper()
	raw, err := json.Marshal(wire.EnrolToken{Token: "nothing", CA: string(w.Serving.CA)})
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

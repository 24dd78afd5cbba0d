package pack

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

const checked = small + `
capabilities: {sites: [core], documents: [mrz], secrets: [core]}
logins:
  core: {site: core, run: login_core, secret: core, request: POST /login}
submits:
  open:
    request: POST /a
    fields: {n: $.n}
    success: {where: {$.code: 0}}
`

// Scripts with the problems that Check must find: "severity code line".
func TestCheck(t *testing.T) {
	t.Parallel()
	login := "\ndef login_core(page, secret):\n    pass\n"
	for name, tc := range map[string]struct {
		script string
		want   string
	}{
		"clean": {`
def run(input):
    def go():
        page = browser.open("core:/new", login = "core")
        return page.form("f").submit(key = [input.a], probe = find)
    return {"r": step("go", go)}
def find(key):
    return None
`, ""},
		"syntax":              {"def run(input)\n    pass\n", "error script_invalid 2"},
		"undefined name":      {"def run(input):\n    brower.open('core:/')\n", "error script_invalid 2"},
		"no run":              {"def main(input):\n    pass\n", "error no_run 1"},
		"run without input":   {"def run():\n    pass\n", "error wrong_parameters 1"},
		"load outside":        {"load('../x.star', 'x')\ndef run(input):\n    pass\n", "error load_unknown 1"},
		"load":                {"load('lib.star', 'helper')\ndef run(input):\n    helper()\n", ""},
		"effect at top level": {"at = now()\ndef run(input):\n    pass\n", "error outside_run 1"},
		"other site":          {"def run(input):\n    browser.open('mail:/x')\n", "error capability_missing 2"},
		"whole URL":           {"def run(input):\n    browser.open('https://x/')\n", "warning whole_url 2"},
		"other login":         {"def run(input):\n    browser.open('core:/x', login = 'cor')\n", "error login_unknown 2"},
		"other document":      {"def run(input):\n    ocr.read(input.f, kind = 'cheque')\n", "error capability_missing 2"},
		"known document":      {"def run(input):\n    ocr.read(input.f, 'mrz')\n", ""},
		"no probe":            {"def run(input):\n    f.submit(key = [1])\nf = None\n", "error no_probe 2"},
		"probe inside":        {"def run(input):\n    def look(key):\n        pass\n    f.submit(key = [1], probe = look)\nf = None\n", "error probe_function 4"},
		"probe parameters":    {"def run(input):\n    f.submit(key = [1], probe = look)\nf = None\ndef look():\n    pass\n", "error wrong_parameters 4"},
		"no key":              {"def run(input):\n    f.submit(probe = look)\nf = None\ndef look(key):\n    pass\n", "error no_key 2"},
		"other submit":        {"def run(input):\n    f.submit('close', key = [1], probe = look)\nf = None\ndef look(key):\n    pass\n", "error submit_unknown 2"},
		"step changes": {`def run(input):
    rows = []
    seen = {}
    def go():
        own = []
        own.append(1)
        rows.append(own)
        seen["x"] = 1
    step("go", go)
    step("no", lambda: rows.clear())
`, "warning step_changes_outside 7, warning step_changes_outside 8, warning step_changes_outside 10"},
	} {
		p, err := FromFS(fstest.MapFS{
			ManifestFile: {Data: []byte(checked)}, MainFile: {Data: []byte(tc.script + login)},
			"lib.star": {Data: []byte("def helper():\n    return uuid()\n")}, "x_test.star": {Data: []byte("assert.eq(1, 1)\n")},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, problem := range p.Check() {
			got = append(got, fmt.Sprintf("%s %s %d", problem.Severity, problem.Code, problem.Line))
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: got %q, want %q", name, strings.Join(got, ", "), tc.want)
		}
	}
}

// What the manifest says about a step that no script has is told.
func TestCheckNamesOfSteps(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"def run(input):\n    step('go', lambda: 1)\n":                         `4 no script has a step "goo" did you mean "go"?`,
		"def run(input):\n    step('goo', lambda: 1)\n":                        "",
		"def run(input):\n    for n in ['goo']:\n        step(n, lambda: 1)\n": "",
	} {
		p, err := FromFS(fstest.MapFS{"pack.yaml": {Data: []byte(small + "steps: {goo: {attempts: 2}}\n")}, "main.star": {Data: []byte(script)}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, problem := range p.Check() {
			if problem.Code == "step_unknown" {
				got = fmt.Sprint(problem.Line, " ", problem.Message, " ", problem.Hint)
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}

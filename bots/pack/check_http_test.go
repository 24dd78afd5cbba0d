package pack

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

const checkedHTTP = small + `
capabilities: {sites: [core, mail], http: [core], secrets: [core]}
logins:
  api: {site: core, secret: core, authorization: basic}
  page: {site: core, run: login_core, secret: core, request: POST /login}
submits:
  open: {request: {site: core, request: POST /a}, fields: {n: $.n}, success: {where: {$.code: 0}}}
  mail: {request: {site: mail, request: POST /a}, fields: {n: $.n}, success: {where: {$.code: 0}}}
  sealed: {request: {site: core, request: POST /s}, verify: page, success: {where: {$.code: 0}}}
`

// What botpack check says of http: "severity code line".
func TestCheckHTTP(t *testing.T) {
	t.Parallel()
	more := "\ndef login_core(page, secret):\n    pass\ndef find(key):\n    return None\n"
	for name, c := range map[string]struct{ script, want string }{
		"clean": {"def run(input):\n    x = http.get('core:/a?n=%s' % 1, login = 'api')\n    http.head('core:/a')\n    http.post('core:/s', json = {})\n" +
			"    step('o', lambda: http.submit('open', key = [1], values = {'n': x.text}, probe = find, login = 'api'))\n", ""},
		"other site":           {"def run(input):\n    http.get('mail:/a')\n", "error capability_missing 2"},
		"whole address":        {"def run(input):\n    http.get('https://a/b')\n", "error wrong_value 2"},
		"no address":           {"def run(input):\n    http.post('core')\n", "error wrong_value 2"},
		"login of a page":      {"def run(input):\n    http.get('core:/a', login = 'page')\n", "error login_unknown 2"},
		"no such login":        {"def run(input):\n    http.get('core:/a', login = 'x')\n", "error login_unknown 2"},
		"browser with api":     {"def run(input):\n    browser.open('core:/a', login = 'api')\n", "error login_unknown 2"},
		"while loading":        {"x = http.get('core:/a')\ndef run(input):\n    pass\n", "error outside_run 1"},
		"submit while loading": {"x = http.submit('open', key = [1], values = {'n': 1}, probe = find)\ndef run(input):\n    pass\n", "error outside_run 1"},
		"unknown label":        {"def run(input):\n    http.submit('open', key = [1], values = {'m': 1}, probe = find)\n", "error value_unknown 2"},
		"site not of http":     {"def run(input):\n    http.submit('mail', key = [1], values = {'n': 1}, probe = find)\n", "error capability_missing 2"},
		"nothing to see":       {"def run(input):\n    http.submit('sealed', key = [1], values = {}, probe = find)\n", "error verify_page 2"},
		"no probe":             {"def run(input):\n    http.submit('open', key = [1], values = {'n': 1})\n", "error no_probe 2"},
		"no key":               {"def run(input):\n    http.submit('open', values = {'n': 1}, probe = find)\n", "error no_key 2"},
		"other submit":         {"def run(input):\n    http.submit('close', key = [1], values = {'n': 1}, probe = find)\n", "error submit_unknown 2"},
	} {
		p, err := FromFS(fstest.MapFS{ManifestFile: {Data: []byte(checkedHTTP)}, MainFile: {Data: []byte(c.script + more)}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, problem := range p.Check() {
			got = append(got, fmt.Sprintf("%s %s %d", problem.Severity, problem.Code, problem.Line))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: got %q, want %q", name, strings.Join(got, ", "), c.want)
		}
	}
}

func TestHTTPInTheManifest(t *testing.T) {
	t.Parallel()
	good := "capabilities: {sites: [core], http: [core], secrets: [core]}\n"
	submit := "submits: {open: {request: POST /a, fields: {n: $.n}, success: {where: {$.code: 0}}, encoding: %s}}\n"
	for name, c := range map[string]struct{ text, want string }{
		"basic":            {good + "logins: {api: {site: core, secret: core, authorization: basic}}\n", ""},
		"bearer":           {good + "logins: {api: {site: core, secret: core, authorization: bearer}}\n", ""},
		"digest":           {good + "logins: {api: {site: core, secret: core, authorization: digest}}\n", "wrong_value"},
		"both kinds":       {good + "logins: {api: {site: core, secret: core, authorization: basic, run: x, request: POST /l}}\n", "ambiguous"},
		"neither kind":     {good + "logins: {api: {site: core, secret: core}}\n", "wrong_value missing"},
		"http outside":     {"capabilities: {sites: [core], http: [mail]}\n", "missing"},
		"form":             {good + fmt.Sprintf(submit, "form"), ""},
		"unknown encoding": {good + fmt.Sprintf(submit, "xml"), "wrong_value"},
	} {
		_, problems := ParseManifest([]byte(small + c.text))
		var got []string
		for _, problem := range problems {
			got = append(got, problem.Code)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !strings.HasPrefix(strings.Join(got, " "), c.want) {
			t.Errorf("%s: %v, want %q", name, problems, c.want)
		}
	}
}

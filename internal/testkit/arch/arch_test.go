package arch

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheTreeKeepsItsRules(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	findings, err := Check(root, allowedSkips(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

func allowedSkips(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("skips.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	var reasons []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			reasons = append(reasons, line)
		}
	}
	return reasons
}

// Each tree breaks one rule, or keeps it in a way that looks like a breach.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, code, want string }{
		{"agent imports headoffice", "agent/a.go", `import _ "branchbot/headoffice/store"`, "agent must not import headoffice/store"},
		{"headoffice imports agent", "headoffice/api/a.go", `import _ "branchbot/agent"`, "headoffice/api must not import agent"},
		{"even in a test", "headoffice/a_test.go", `import _ "branchbot/agent"`, "headoffice must not import agent"},
		{"bots import agent", "bots/engine/a.go", `import _ "branchbot/agent/store"`, "bots/engine must not import agent/store"},
		{"ocr imports bots", "ocr/a.go", `import _ "branchbot/bots/pack"`, "ocr must not import bots/pack"},
		{"scheduler imports configs", "scheduler/a.go", `import _ "branchbot/configs"`, "scheduler must not import configs"},
		{"internal imports ocr", "internal/wire/a.go", `import _ "branchbot/ocr"`, "internal/wire must not import ocr"},
		{"nobody imports cmd", "agent/a.go", `import _ "branchbot/cmd/demo"`, "agent must not import cmd/demo"},
		{"a new folder on top", "helpers/a.go", `import _ "branchbot/internal/wire"`, "helpers must not import internal/wire"},
		{"downwards is fine", "agent/a.go", `import _ "branchbot/bots/runner"`, ""},
		{"testkit builds on all", "internal/testkit/world/a.go", `import _ "branchbot/headoffice"`, ""},

		{"rod in agent", "agent/a.go", `import _ "github.com/go-rod/rod"`, "confined library"},
		{"rod at home", "bots/modules/browser/cdp/a.go", `import _ "github.com/go-rod/rod/lib/cdp"`, ""},
		{"rod in a test", "agent/panel/a_test.go", `import _ "github.com/go-rod/rod"`, ""},
		{"gosseract in ocr", "ocr/a.go", `import _ "github.com/otiai10/gosseract/v2"`, "confined library"},
		{"bbolt in journal", "agent/journal/a.go", `import _ "go.etcd.io/bbolt"`, "confined library"},
		{"bbolt in a test elsewhere", "agent/journal/a_test.go", `import _ "go.etcd.io/bbolt"`, "in tests too"},
		{"bbolt at home", "agent/store/a_test.go", `import _ "go.etcd.io/bbolt"`, ""},
		{"go-cmp in product code", "agent/a.go", `import _ "github.com/google/go-cmp/cmp"`, "confined library"},
		{"testkit in product code", "agent/a.go", `import _ "branchbot/internal/testkit/world"`, "confined library"},
		{"sample bank in product code", "agent/a.go", `import _ "branchbot/internal/bank"`, "confined library"},
		{"sample bank at its desk", "cmd/branchbot/a.go", `import _ "branchbot/internal/bank"`, ""},
		{"testkit in the demo", "cmd/demo/a.go", `import _ "branchbot/internal/testkit/world"`, ""},

		{"exit", "agent/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", "os.Exit"},
		{"exit under another name", "agent/a.go", "import sys \"os\"\nfunc f() { sys.Exit(1) }", "sys.Exit"},
		{"exit in cmd", "cmd/demo/a.go", "import \"os\"\nfunc f() { os.Exit(1) }", ""},
		{"environment", "bots/a.go", "import \"os\"\nfunc f() string { return os.Getenv(`HOME`) }", "os.Getenv"},
		{"stdout as a value", "bots/a.go", "import \"os\"\nvar w = os.Stdout", "os.Stdout"},
		{"print", "ocr/a.go", "import \"fmt\"\nfunc f() { fmt.Println() }", "fmt.Println"},
		{"global logger", "agent/a.go", "import \"log/slog\"\nfunc f() { slog.Info(`x`) }", "slog.Info"},
		{"old logger, in cmd too", "cmd/demo/a.go", "import \"log\"\nfunc f() { log.Println() }", "log.Println"},
		{"injected logger", "agent/a.go", "import \"log/slog\"\nfunc f(l *slog.Logger) { l.Info(`x`) }", ""},
		{"sleep, in cmd too", "cmd/demo/a.go", "import \"time\"\nfunc f() { time.Sleep(1) }", "time.Sleep"},
		{"must", "bots/a.go", "import \"regexp\"\nvar r = regexp.MustCompile(`x`)", "MustCompile"},
		{"must in a test", "bots/a_test.go", "import \"regexp\"\nvar r = regexp.MustCompile(`x`)", ""},
		{"init", "bots/a.go", "func init() {}", "no init"},
		{"a method called init", "bots/a.go", "type T struct{}\nfunc (T) init() {}", ""},

		{"code in capitals", "agent/a.go", "import \"branchbot/internal/fault\"\nvar e = fault.New(fault.Usage, \"BadThing\", \"x\")", `"BadThing"`},
		{"code with a dash", "agent/a.go", "import \"branchbot/internal/fault\"\nvar e = fault.New(fault.Usage, \"bad-thing\", \"x\")", `"bad-thing"`},
		{"good code", "agent/a.go", "import \"branchbot/internal/fault\"\nvar e = fault.New(fault.Usage, \"bad_thing2\", \"x\")", ""},

		{"skip with another reason", "agent/a_test.go", "import \"testing\"\nfunc TestX(t *testing.T) { t.Skip(`lazy`) }", "lazy"},
		{"skip without a reason", "agent/a_test.go", "import \"testing\"\nfunc TestX(t *testing.T) { t.SkipNow() }", "without a reason"},
		{"skip with a made-up reason", "agent/a_test.go", "import \"testing\"\nfunc TestX(t *testing.T) { t.Skipf(why()) }", "literal"},
		{"skip in a test helper", "internal/testkit/x/a.go", "import \"testing\"\nfunc need(tb testing.TB) { tb.Skip(`lazy`) }", "lazy"},
		{"listed skip", "agent/a_test.go", "import \"testing\"\nfunc TestX(t *testing.T) { t.Skip(`no kernel for it`) }", ""},

		{"minified file", "internal/ui/script/x.min.js", "", "third-party file"},
		{"filled by make assets", "internal/ui/assets/x.min.js", "", ""},
		{"vendor folder", "vendor/x/y.txt", "", "third-party file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, root, tc.file, tc.code)
			findings, err := Check(root, []string{"no kernel for it"})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tc.want == "" && len(findings) > 0:
				t.Errorf("found %v, want nothing", findings)
			case tc.want != "" && (len(findings) != 1 || !strings.Contains(findings[0].String(), tc.want)):
				t.Errorf("found %v, want one that says %q", findings, tc.want)
			}
		})
	}
}

func write(t *testing.T, root, file, code string) {
	t.Helper()
	name := filepath.Join(root, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".go" {
		code = "package p\n\n" + code
	}
	if err := os.WriteFile(name, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFindingsNameTheLine(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "agent/a.go", "import _ \"branchbot/headoffice\"\n")
	findings, err := Check(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{{File: "agent/a.go", Line: 3, Rule: "import direction", Text: "agent must not import headoffice"}}
	if diff := cmp.Diff(want, findings); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatIsNotGo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "agent/a.go", "func {")
	if _, err := Check(root, nil); err == nil {
		t.Error("a file that cannot be read must not pass")
	}
}

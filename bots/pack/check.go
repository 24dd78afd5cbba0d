package pack

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"branchbot/internal/fault"
)

// Examine is Check for a folder or pack file that may not even load: what Load
// refuses in the manifest comes back as problems.
// Codes: pack_not_found, pack_too_large, pack_invalid without a place.
func Examine(path string) ([]Problem, error) {
	p, err := Load(path)
	if err == nil {
		return p.Check(), nil
	}
	if !fault.HasCode(err, "pack_invalid") {
		return nil, err
	}
	if problems := manifestProblems(path); len(problems) > 0 {
		return problems, nil
	}
	return nil, err
}

// manifestProblems reads only the manifest of a folder.
func manifestProblems(path string) []Problem {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil
	}
	defer root.Close()
	data, err := root.ReadFile(ManifestFile)
	if err != nil || len(data) > maxScript {
		return nil
	}
	_, problems := ParseManifest(data)
	return problems
}

// Check looks at the whole pack, scripts included, without running it. It finds
// mistakes of the manifest and the language, names that do not exist,
// capabilities that are missing, submits that could not be settled, and what
// would make a second evaluation differ from the first.
func (p *Pack) Check() []Problem {
	_, problems := ParseManifest(p.Files[ManifestFile])
	c := &checker{pack: p, problems: problems, functions: map[string]*syntax.DefStmt{}, named: map[string]bool{}}
	var files []*syntax.File
	for _, name := range p.Names() {
		if !strings.HasSuffix(name, ".star") {
			continue
		}
		if file := c.parse(name); file != nil && !strings.HasSuffix(name, "_test.star") {
			files = append(files, file)
		}
	}
	c.entryPoints()
	for _, file := range files {
		c.script(file)
	}
	c.stepNames()
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.problems
}

// checker collects problems of the scripts.
type checker struct {
	pack      *Pack
	problems  []Problem
	functions map[string]*syntax.DefStmt // top-level functions that main.star can name; nil: brought by load
	broken    bool                       // a file did not parse: what it defines is unknown
	named     map[string]bool            // names of steps in the scripts; "" for one that is computed
}

func (c *checker) add(at syntax.Position, severity, code, hint, message string) {
	c.problems = append(c.problems, Problem{
		File: at.Filename(), Line: int(at.Line), Column: int(at.Col),
		Code: code, Message: message, Hint: hint, Severity: severity,
	})
}

func (c *checker) parse(name string) *syntax.File {
	file, err := Dialect().Parse(name, c.pack.Files[name], 0)
	var wrong syntax.Error
	if errors.As(err, &wrong) {
		c.add(wrong.Pos, Error, "script_invalid", "", wrong.Msg)
	}
	if err != nil {
		c.broken = true
		return nil
	}
	if name == MainFile {
		c.define(file)
	}
	if !strings.HasSuffix(name, "_test.star") { // tests have builtins of their own
		c.resolve(file)
	}
	return file
}

func (c *checker) define(file *syntax.File) {
	for _, stmt := range file.Stmts {
		switch s := stmt.(type) {
		case *syntax.DefStmt:
			c.functions[s.Name.Name] = s
		case *syntax.LoadStmt:
			for _, name := range s.To {
				c.functions[name.Name] = nil
			}
		}
	}
}

// resolve finds names that nothing defines.
func (c *checker) resolve(file *syntax.File) {
	predeclared := func(name string) bool { return slices.Contains(Builtins(), name) }
	err := resolve.File(file, predeclared, starlark.Universe.Has)
	var list resolve.ErrorList
	if errors.As(err, &list) {
		for _, wrong := range list {
			c.add(wrong.Pos, Error, "script_invalid", "", wrong.Msg)
		}
	}
}

// entryPoints are the functions that others call by name.
func (c *checker) entryPoints() {
	if c.broken {
		return
	}
	start := syntax.MakePosition(ptr(MainFile), 1, 1)
	if _, ok := c.functions["run"]; !ok {
		c.add(start, Error, "no_run", "def run(input):", "there is no function run(input)")
	}
	c.arity("run", 1, "run(input)")
	for name, login := range c.pack.Manifest.Logins {
		if login.Authorization != "" {
			continue
		}
		if _, ok := c.functions[login.Run]; !ok {
			c.add(start, Error, "login_function", "def "+login.Run+"(page, secret):",
				"login "+name+" names the function "+login.Run+", which is not there")
		}
		c.arity(login.Run, 2, login.Run+"(page, secret)")
	}
}

func (c *checker) arity(name string, want int, form string) {
	if def := c.functions[name]; def != nil && len(def.Params) != want {
		c.add(def.Name.NamePos, Error, "wrong_parameters", "", "the function must be "+form)
	}
}

func ptr(s string) *string { return &s }

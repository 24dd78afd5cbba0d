package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the name under which our own packages are imported.
const Module = "branchbot"

// Finding is one broken rule.
type Finding struct {
	File string // slash path below the root
	Line int
	Rule string
	Text string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.File, f.Line, f.Text, f.Rule)
}

// source is one Go file with where it stands.
type source struct {
	file    string // slash path below the root
	folder  string // of the file, "" for the root
	test    bool   // a _test.go file
	support bool   // test code or code that serves tests only
	set     *token.FileSet
	syntax  *ast.File
}

func (s source) at(pos token.Pos, rule, format string, args ...any) Finding {
	return Finding{File: s.file, Line: s.set.Position(pos).Line, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// imports returns the imported paths with their specs.
func (s source) imports() map[string]*ast.ImportSpec {
	found := map[string]*ast.ImportSpec{}
	for _, spec := range s.syntax.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			found[name] = spec
		}
	}
	return found
}

// nameOf returns the name under which the file uses an imported package, "" if it does not.
func (s source) nameOf(importPath string) string {
	spec, imported := s.imports()[importPath]
	switch {
	case !imported:
		return ""
	case spec.Name != nil:
		return spec.Name.Name
	default:
		return path.Base(importPath)
	}
}

// Check reads every Go file below root and returns what breaks a rule, sorted.
// skips lists the reasons for which a test may be skipped.
func Check(root string, skips []string) ([]Finding, error) {
	sources, err := read(root)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, s := range sources {
		for _, rule := range rules() {
			findings = append(findings, rule(s)...)
		}
		findings = append(findings, skipReasons(s, skips)...)
	}
	committed, err := thirdPartyFiles(root)
	findings = append(findings, committed...)
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return findings, err
}

// read parses every Go file below root, generated and third-party folders left out.
func read(root string) ([]source, error) {
	var sources []source
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && ignored(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		s, err := parse(set, root, name)
		sources = append(sources, s)
		return err
	})
	return sources, err
}

func ignored(folder string) bool {
	return folder == "node_modules" || folder == "testdata" || folder == "bin" || folder == "out" || strings.HasPrefix(folder, ".")
}

func parse(set *token.FileSet, root, name string) (source, error) {
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return source{}, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	syntax, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	file := filepath.ToSlash(relative)
	folder := strings.TrimSuffix(path.Dir(file), ".")
	test := strings.HasSuffix(file, "_test.go")
	return source{
		file: file, folder: folder, test: test, set: set, syntax: syntax,
		support: test || under(folder, "internal/testkit") || strings.HasSuffix(folder, "test"),
	}, nil
}

// under reports whether folder is root or below it.
func under(folder, root string) bool { return folder == root || strings.HasPrefix(folder, root+"/") }

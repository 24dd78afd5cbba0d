package arch

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// thirdPartyFiles finds what others wrote and what belongs into no commit:
// front-end files come by npm with a lock file, Go code by go.mod. The folders
// that `make assets` fills are ignored by git and left out here.
func thirdPartyFiles(root string) ([]Finding, error) {
	var findings []Finding
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(relative)
		switch {
		case entry.IsDir() && name != root && leftOut(file, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() && entry.Name() == "vendor":
			findings = append(findings, Finding{File: file, Rule: "third-party file", Text: "modules come by go.mod, not in a vendor folder"})
			return filepath.SkipDir
		case strings.HasSuffix(file, ".min.js"), strings.HasSuffix(file, ".min.css"):
			findings = append(findings, Finding{File: file, Rule: "third-party file", Text: "minified files come by npm with a lock file"})
		}
		return nil
	})
	return findings, err
}

func leftOut(file, name string) bool {
	filled := file == "internal/ui/assets" || file == "internal/bank/assets"
	return filled || name == "node_modules" || name == "bin" || name == "out" || strings.HasPrefix(name, ".")
}

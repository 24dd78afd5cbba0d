package arch

import (
	"strings"
)

// layers are the folders below the root, and what each may import of our own:
// cmd → agent | headoffice → bots → ocr, scheduler, configs → internal.
func layers() map[string][]string {
	return map[string][]string{
		"cmd":        {"cmd", "agent", "headoffice", "bots", "ocr", "scheduler", "configs", "internal"},
		"agent":      {"agent", "bots", "ocr", "scheduler", "configs", "internal"},
		"headoffice": {"headoffice", "bots", "ocr", "scheduler", "configs", "internal"},
		"bots":       {"bots", "ocr", "scheduler", "configs", "internal"},
		"ocr":        {"ocr", "internal"},
		"scheduler":  {"scheduler", "internal"},
		"configs":    {"configs", "internal"},
		"internal":   {"internal"},
	}
}

// confined are the libraries that one folder hides from the rest.
func confined() map[string]string {
	return map[string]string{
		"github.com/go-rod/rod":           "bots/modules/browser",
		"github.com/ysmood/":              "bots/modules/browser",
		"github.com/otiai10/gosseract":    "ocr/engine",
		"go.etcd.io/bbolt":                "agent/store",
		"github.com/robfig/cron":          "scheduler",
		"modernc.org/sqlite":              "headoffice/store",
		"go.starlark.net":                 "bots",
		"github.com/rogpeppe/go-internal": "", // tests only
		"github.com/google/go-cmp":        "", // tests only
		"branchbot/internal/testkit":      "cmd/demo",
		"branchbot/internal/bank":         "cmd", // the sample site: demo and torture show with it
	}
}

// direction holds the import direction between our own folders.
func direction(s source) []Finding {
	var findings []Finding
	layer, _, _ := strings.Cut(s.folder, "/")
	for name, spec := range s.imports() {
		own, found := strings.CutPrefix(name, Module+"/")
		if !found || under(own, "internal/testkit") { // who may use testkit is a rule of its own
			continue
		}
		target, _, _ := strings.Cut(own, "/")
		if !mayImport(s, layer, target) {
			findings = append(findings, s.at(spec.Pos(), "import direction", "%s must not import %s", s.folder, own))
		}
	}
	return findings
}

func mayImport(s source, layer, target string) bool {
	if under(s.folder, "internal/testkit") { // tools for tests may build on everything they test
		return target != "cmd"
	}
	for _, allowed := range layers()[layer] {
		if target == allowed {
			return true
		}
	}
	return false
}

// confinement keeps each dormant or heavy library behind the folder that hides it.
func confinement(s source) []Finding {
	var findings []Finding
	for name, spec := range s.imports() {
		for library, home := range confined() {
			if !strings.HasPrefix(name, library) || s.support || home != "" && under(s.folder, home) {
				continue
			}
			findings = append(findings, s.at(spec.Pos(), "confined library", "%s is used under %q only", name, home))
		}
	}
	return append(findings, boltInTests(s)...)
}

// boltInTests keeps even tests from opening the device's file behind the store's back.
func boltInTests(s source) []Finding {
	spec, imported := s.imports()["go.etcd.io/bbolt"]
	if !imported || !s.test || under(s.folder, "agent/store") {
		return nil
	}
	return []Finding{s.at(spec.Pos(), "confined library", "go.etcd.io/bbolt is used in agent/store only, in tests too")}
}

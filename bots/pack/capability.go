package pack

import (
	"slices"
	"strings"

	"branchbot/internal/fault"
)

// Kinds of capability, as the manifest names them.
const (
	Sites     = "sites"
	Documents = "documents"
	Secrets   = "secrets"
	FilesKind = "files"
	HTTP      = "http"
	Tables    = "tables"
)

func capabilityKinds() []string { return []string{Sites, Documents, Secrets, FilesKind, HTTP, Tables} }

func (c Capabilities) list(kind string) []string {
	return map[string][]string{
		Sites: c.Sites, Documents: c.Documents, Secrets: c.Secrets,
		FilesKind: c.Files, HTTP: c.HTTP, Tables: c.Tables,
	}[kind]
}

// Require fails with capability_denied (refused) unless the manifest names it.
func (c Capabilities) Require(kind, name string) error {
	allowed := c.list(kind)
	if slices.Contains(allowed, name) {
		return nil
	}
	have := "none"
	if len(allowed) > 0 {
		have = strings.Join(allowed, ", ")
	}
	return fault.New(fault.Refused, "capability_denied", "the pack may not use %q: its capabilities.%s are %s", name, kind, have).
		WithHint("name it under capabilities.%s in %s, and have the pack signed anew", kind, ManifestFile)
}

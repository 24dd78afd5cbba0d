// Package packs knows the bots of a device: those embedded in the binary and,
// where unsigned packs may run, copies of folders and files that somebody
// brought. A run is pinned to a digest; what it was pinned to is found again
// after a restart even when the folder has changed since.
package packs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"branchbot/agent/store"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// Where a pack comes from, which decides what it may do.
const (
	Embedded = "embedded"
	Unsigned = "unsigned"
)

// Packs is the device's set of packs.
type Packs struct {
	dir     string // of the kept copies
	shipped []*pack.Pack
}

// New makes the set; kept copies lie below dir.
func New(dir string, shipped []*pack.Pack) *Packs {
	return &Packs{dir: filepath.Join(dir, "packs"), shipped: shipped}
}

// Shipped lists the embedded packs, by name.
func (p *Packs) Shipped() []*pack.Pack { return slices.Clone(p.shipped) }

// Find returns the pack of a bot by its name; code bot_unknown.
func (p *Packs) Find(bot string) (*pack.Pack, error) {
	var names []string
	for _, candidate := range p.shipped {
		if candidate.Manifest.Name == bot {
			return candidate, nil
		}
		names = append(names, candidate.Manifest.Name)
	}
	return nil, fault.New(fault.Usage, "bot_unknown", "there is no bot %q on this device", bot).
		WithHint("bots here: %s", strings.Join(names, ", "))
}

// Keep copies an unsigned pack beside the database and returns it read back.
func (p *Packs) Keep(archive []byte) (*pack.Pack, error) {
	brought, err := pack.Read(archive)
	if err != nil {
		return nil, err
	}
	if _, err := p.ByDigest(brought.Digest); err == nil {
		return brought, nil
	}
	if err := store.MakeFolder(p.dir); err != nil {
		return nil, fmt.Errorf("make pack folder: %w", err)
	}
	if err := store.WriteFile(p.path(brought.Digest), archive); err != nil {
		return nil, fmt.Errorf("keep pack: %w", err)
	}
	return brought, nil
}

// ByDigest finds the pack that a run is pinned to; code pack_gone.
func (p *Packs) ByDigest(digest string) (*pack.Pack, error) {
	for _, candidate := range p.shipped {
		if candidate.Digest == digest {
			return candidate, nil
		}
	}
	kept, err := os.ReadFile(p.path(digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Application, "pack_gone", "the pack %s, to which the run is pinned, is no longer on this device", digest).
			WithHint("install the version of branchbot that shipped it, or bring the pack again")
	}
	if err != nil {
		return nil, fmt.Errorf("read kept pack: %w", err)
	}
	found, err := pack.Read(kept)
	if err != nil {
		return nil, fmt.Errorf("read kept pack: %w", err)
	}
	if found.Digest != digest {
		return nil, fault.New(fault.Refused, "pack_digest", "the kept pack %s was changed on the disk", digest).
			WithHint("bring the pack again; find out who changed it")
	}
	return found, nil
}

func (p *Packs) path(digest string) string {
	return filepath.Join(p.dir, strings.TrimPrefix(digest, "sha256:")+".zip")
}

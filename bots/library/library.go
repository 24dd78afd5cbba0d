// Package library holds the packs that are shipped inside the binary. A device
// that head office knows runs only these until packs are signed.
package library

import (
	"embed"
	"fmt"
	"io/fs"

	"branchbot/bots/pack"
)

//go:embed account-opening id-check
var folders embed.FS

// Packs returns the shipped packs, by name.
func Packs() ([]*pack.Pack, error) {
	entries, err := fs.ReadDir(folders, ".")
	if err != nil {
		return nil, fmt.Errorf("list shipped packs: %w", err)
	}
	var packs []*pack.Pack
	for _, entry := range entries {
		folder, err := fs.Sub(folders, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("open shipped pack: %w", err)
		}
		p, err := pack.FromFS(folder)
		if err != nil {
			return nil, fmt.Errorf("shipped pack %s: %w", entry.Name(), err)
		}
		packs = append(packs, p)
	}
	return packs, nil
}

package torture

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"branchbot/bots/pack"
)

//go:embed packs
var samples embed.FS

// Samples are the names of the packs that are made for the sample site.
func Samples() []string {
	var names []string
	entries, _ := samples.ReadDir("packs") // embedded: it is there
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Sample returns the named pack, nil when there is none of that name.
func Sample(name string) (*pack.Pack, error) {
	if !slices.Contains(Samples(), name) {
		return nil, nil //nolint:nilnil // it is somebody's own pack
	}
	folder, err := fs.Sub(samples, "packs/"+name)
	if err != nil {
		return nil, fmt.Errorf("open sample pack: %w", err)
	}
	return pack.FromFS(folder)
}

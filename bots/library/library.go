// Package library holds the packs that are shipped inside the binary.
package library

import "branchbot/bots/pack"

// Packs returns the shipped packs, by name.
func Packs() ([]*pack.Pack, error) { return nil, nil }

// Package pack is the format of a bot pack: its manifest (pack.yaml), its files
// and its digest, from a folder, a zip or the packs embedded in the binary.
//
// A Pack is immutable once loaded; a run is pinned to its Digest.
package pack

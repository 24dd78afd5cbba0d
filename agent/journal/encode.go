package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"branchbot/internal/wire"
)

// encode gives the stored form of a record: one JSON object whose names are
// sorted, with its hash in it. The hash is the SHA-256 of that object without
// the name "hash"; since "prev" is inside, each hash stands for all before it.
func encode(r wire.JournalRecord) (line []byte, hash string, err error) {
	r.Hash = ""
	text, err := json.Marshal(r)
	if err != nil {
		return nil, "", fmt.Errorf("encode record: %w", err)
	}
	names, hash, err := hashOf(text)
	if err != nil {
		return nil, "", err
	}
	names["hash"], _ = json.Marshal(hash) // a string always encodes
	line, err = json.Marshal(names)
	return line, hash, err
}

// hashOf computes the hash of a stored record from its own bytes, not from our
// struct: a record stays verifiable when later versions add names to it.
func hashOf(line []byte) (names map[string]json.RawMessage, hash string, err error) {
	if err := json.Unmarshal(line, &names); err != nil {
		return nil, "", fmt.Errorf("decode record: %w", err)
	}
	delete(names, "hash")
	canonical, err := json.Marshal(names) // sorts the names
	if err != nil {
		return nil, "", fmt.Errorf("encode record: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return names, "sha256:" + hex.EncodeToString(sum[:]), nil
}

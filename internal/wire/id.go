package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Prefixes of the ids that people meet.
const (
	RunPrefix    = "run_"
	DevicePrefix = "dev_"
)

// NewID returns prefix plus 20 random base-32 characters (100 bits).
func NewID(prefix string) string {
	return prefix + strings.ToLower(rand.Text()[:20])
}

// Digest returns "sha256:" plus the hexadecimal SHA-256 of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

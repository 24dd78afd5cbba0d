package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// NewSecret returns a random one-time secret of 130 bits.
func NewSecret() string { return rand.Text() }

// Hash is what is stored of a secret. The secrets are random, so a plain hash
// cannot be searched backwards.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

package store

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// A value sealed by the first version must be readable for ever.
func TestSavedSeal(t *testing.T) {
	t.Parallel()
	keys, err := newKeys(bytes.Repeat([]byte{7}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(savedSeal)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := unseal(keys.rows, sealed, place(Settings, []byte("language")))
	if err != nil || string(plain) != "zh-CN" {
		t.Errorf("got %q, %v", plain, err)
	}
	if got := hex.EncodeToString(keys.blinded("business key", "account-opening", "k")); got != savedBlind {
		t.Errorf("blinded %s", got)
	}
}

const (
	savedSeal  = "01a31bad5225c68fc5fb28657bac9cd77ec1a0acf1e6f23f0da9004a19f05e98e709a4803caf05f866fb24ea8073"
	savedBlind = "05e9681f6fc172554111ea49f65b4a508b8a3d4adcc1c5995cd080b67d2c1ed9"
)

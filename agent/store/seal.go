package store

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealVersion is the first byte of everything sealed: XChaCha20-Poly1305 with a
// random nonce behind it.
const sealVersion = 1

const sealOverhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// keys are derived from the key file, one for each use.
type keys struct {
	master []byte
	rows   cipher.AEAD // values of the database
	blind  []byte      // see Tx.Blind
}

func newKeys(master []byte) (*keys, error) {
	k := &keys{master: master}
	var err error
	if k.rows, err = k.aead("rows"); err != nil {
		return nil, err
	}
	k.blind, err = hkdf.Key(sha256.New, master, nil, "branchbot blind", keySize)
	return k, err
}

func (k *keys) aead(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.master, nil, "branchbot seal "+purpose, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return chacha20poly1305.NewX(key)
}

func (k *keys) blinded(parts ...string) []byte {
	mac := hmac.New(sha256.New, k.blind)
	for _, part := range parts {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// place binds a value to its bucket and key.
func place(bucket Bucket, key []byte) []byte {
	return bytes.Join([][]byte{[]byte(bucket), key}, []byte{0})
}

func seal(aead cipher.AEAD, plain, bound []byte) []byte {
	out := make([]byte, 1+chacha20poly1305.NonceSizeX, sealOverhead+len(plain))
	out[0] = sealVersion
	rand.Read(out[1:]) // never fails
	return aead.Seal(out, out[1:], plain, bound)
}

func unseal(aead cipher.AEAD, sealed, bound []byte) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealVersion {
		return nil, ErrDamaged
	}
	nonce, text := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, text, bound)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// Seal encrypts bytes that live outside the database (evidence, scratch files).
// Only Open with the same purpose, on this device, gives them back.
func (s *Store) Seal(purpose string, plain []byte) ([]byte, error) {
	aead, err := s.keys.aead("file " + purpose)
	if err != nil {
		return nil, err
	}
	return seal(aead, plain, []byte(purpose)), nil
}

// Open gives back what Seal encrypted. ErrDamaged when it is not what was sealed.
func (s *Store) Open(purpose string, sealed []byte) ([]byte, error) {
	aead, err := s.keys.aead("file " + purpose)
	if err != nil {
		return nil, err
	}
	plain, err := unseal(aead, sealed, []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("open sealed %s: %w", purpose, err)
	}
	return plain, nil
}

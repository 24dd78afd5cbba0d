package store

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// The first byte of everything sealed says how: always XChaCha20-Poly1305 with a
// random nonce. A value of the database carries the number of the commit that
// wrote it, so that of two authentic ones the newer is known (commits.go).
const (
	sealPlain = 1 // 1 · nonce · text: files, and rows of the first layout
	sealRow   = 2 // 2 · commit · nonce · text
	sealMark  = 3 // 3 · commit · nonce · tag: a damaged row stood here (quarantine.go)
)

const (
	commitSize   = 8
	sealOverhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

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
	return appendSealed([]byte{sealPlain}, aead, plain, bound)
}

// sealAt seals a value of the database, or the mark of a damaged one. The head
// is authenticated with the place.
func sealAt(aead cipher.AEAD, version byte, commit uint64, plain, bound []byte) []byte {
	head := binary.BigEndian.AppendUint64([]byte{version}, commit)
	return appendSealed(head, aead, plain, append(bytes.Clone(head), bound...))
}

func appendSealed(head []byte, aead cipher.AEAD, plain, bound []byte) []byte {
	size := len(head) + chacha20poly1305.NonceSizeX
	out := make([]byte, size, size+len(plain)+chacha20poly1305.Overhead)
	nonce := out[copy(out, head):]
	rand.Read(nonce) // never fails
	return aead.Seal(out, nonce, plain, bound)
}

// errMarked is ErrDamaged for a row that is in quarantine already.
var errMarked = fmt.Errorf("%w, in quarantine", ErrDamaged)

func unseal(aead cipher.AEAD, sealed, bound []byte) ([]byte, error) {
	head := headSize(sealed)
	if head == 0 {
		return nil, ErrDamaged
	}
	if head > 1 {
		bound = append(bytes.Clone(sealed[:head]), bound...)
	}
	nonce, text := sealed[head:head+chacha20poly1305.NonceSizeX], sealed[head+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, text, bound)
	switch {
	case err != nil:
		return nil, ErrDamaged
	case sealed[0] == sealMark:
		return nil, errMarked
	}
	return plain, nil
}

// headSize is how much stands before the nonce, 0 for what cannot be sealed.
func headSize(sealed []byte) int {
	if len(sealed) < sealOverhead {
		return 0
	}
	switch sealed[0] {
	case sealPlain:
		return 1
	case sealRow, sealMark:
		if len(sealed) >= sealOverhead+commitSize {
			return 1 + commitSize
		}
	}
	return 0
}

// commitOf reads the commit number of a sealed value, 0 for one without. It can
// be believed once the value was unsealed.
func commitOf(sealed []byte) uint64 {
	if headSize(sealed) != 1+commitSize {
		return 0
	}
	return binary.BigEndian.Uint64(sealed[1:])
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
	if err == nil && sealed[0] != sealPlain {
		err = ErrDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("open sealed %s: %w", purpose, err)
	}
	return plain, nil
}

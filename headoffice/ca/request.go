package ca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"

	"branchbot/internal/fault"
)

// maxRequest bounds a certificate request: ours have about 400 bytes.
const maxRequest = 8 << 10

// ParseRequest reads a device's certificate request (PEM), verifies that its
// sender holds the key, and accepts only keys we would trust: ECDSA P-256 or
// P-384, and Ed25519. Whatever name it asks for is ignored. Code: csr_invalid.
func ParseRequest(text string) (*x509.CertificateRequest, error) {
	if len(text) > maxRequest {
		return nil, invalid("it is larger than %d bytes", maxRequest)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(trim(rest)) > 0 {
		return nil, invalid("it is not one PEM block of type CERTIFICATE REQUEST")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, invalid("%w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, invalid("its signature is wrong: %w", err)
	}
	if !trusted(request.PublicKey) {
		return nil, invalid("keys of type %s are not accepted", request.PublicKeyAlgorithm)
	}
	return request, nil
}

// KeyFingerprint is the SHA-256 of the public key of a request or certificate
// (its subject public key info), in hexadecimal.
func KeyFingerprint(publicKeyInfo []byte) string {
	sum := sha256.Sum256(publicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func trusted(public any) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256() || key.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return true
	default:
		return false
	}
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Usage, "csr_invalid", "the certificate request is refused: "+format, args...).
		WithHint("Enrol again with the branchbot program: it makes an ECDSA P-256 key.")
}

func trim(rest []byte) []byte {
	for len(rest) > 0 && (rest[0] == '\n' || rest[0] == '\r' || rest[0] == ' ') {
		rest = rest[1:]
	}
	return rest
}

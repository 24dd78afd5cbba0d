// Package ca is head office's own small certificate authority. It signs two
// things: the certificate of head office's listener, which a device verifies
// with the CA in its enrolment token, and the short client certificates of
// devices. There is no revocation list: head office looks at the device's row
// on every request.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Lifetimes of what the authority signs.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour
	DeviceLife    = 30 * 24 * time.Hour
	ServerLife    = 90 * 24 * time.Hour
	clockSlack    = time.Hour // a device whose clock is behind must still accept
)

// Authority signs certificates. It is safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Create makes a new authority with a fresh ECDSA P-256 key.
func Create(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	template, err := blank("branchbot head office CA", now, AuthorityLife)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key}, nil
}

// Open rebuilds an authority from its certificate (DER) and key (PKCS #8).
func Open(certificate, key []byte) (*Authority, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("parse CA certificate: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("parse CA key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("CA key and CA certificate do not belong together")
	}
	return &Authority{cert: cert, key: private}, nil
}

// Certificate returns the CA certificate as DER.
func (a *Authority) Certificate() []byte { return a.cert.Raw }

// PEM returns the CA certificate as devices get it.
func (a *Authority) PEM() string { return encode(a.cert.Raw) }

// Key returns the private key as PKCS #8, to be sealed before it is stored.
func (a *Authority) Key() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("encode CA key: %w", err)
	}
	return der, nil
}

// Pool returns the certificates that verify what this authority signed.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// SignDevice signs a client certificate whose common name is the device id. It
// returns the certificate and the PEM chain that the device gets.
func (a *Authority) SignDevice(device string, public crypto.PublicKey, now time.Time) (*x509.Certificate, string, error) {
	template, err := blank(device, now, DeviceLife)
	if err != nil {
		return nil, "", err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	cert, err := sign(template, a.cert, public, a.key)
	if err != nil {
		return nil, "", fmt.Errorf("sign device certificate: %w", err)
	}
	return cert, encode(cert.Raw) + encode(a.cert.Raw), nil
}

// VerifyDevice checks that a client certificate was signed here. It does not
// look at the end of its life: an expired one is refused later, per request, so
// that the device gets a code it can act on.
func (a *Authority) VerifyDevice(cert *x509.Certificate) error {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: a.Pool(), CurrentTime: cert.NotBefore.Add(time.Second),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("verify device certificate: %w", err)
	}
	return nil
}

// Fingerprint is the SHA-256 of a certificate, in hexadecimal.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

func blank(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-clockSlack),
		NotAfter:     now.Add(life),
	}, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func encode(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

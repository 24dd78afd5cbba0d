package uplink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"time"

	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// About describes this device to head office when it enrols.
type About struct {
	Hostname string
	Version  string
	Proxy    string // of the bank, "" for none
}

// Enrol proves the token, asks for a certificate for the device's key (PEM) and
// returns the identity that head office gave. The token binds the device to that
// head office: its CA travels inside, so the very first connection is verified.
// Ask again with the same key after approval_waiting, or when the reply was lost.
// Codes: token_invalid, head_office_unreachable and head office's own.
func Enrol(ctx context.Context, headOffice, token, keyPEM string, about About) (vault.Identity, error) {
	base, carried, err := check(headOffice, token)
	if err != nil {
		return vault.Identity{}, err
	}
	csr, err := signingRequest(keyPEM)
	if err != nil {
		return vault.Identity{}, err
	}
	t, err := transport(carried.CA, nil, about.Proxy)
	if err != nil {
		return vault.Identity{}, err
	}
	defer t.CloseIdleConnections()
	var reply wire.EnrolReply
	err = post(ctx, newClient(t, callTime), base+"/v1/enrol",
		wire.EnrolRequest{Token: carried.Token, CSR: csr, Hostname: about.Hostname, Version: about.Version}, &reply)
	if err != nil {
		return vault.Identity{}, fmt.Errorf("enrol at %s: %w", base, err)
	}
	if _, err := tls.X509KeyPair([]byte(reply.Certificate), []byte(keyPEM)); err != nil || reply.Device == "" {
		return vault.Identity{}, fault.New(fault.Application, codeReply, "head office's certificate does not fit this device's key: %w", err).
			WithHint("ask head office for a new token")
	}
	return vault.Identity{
		Device: reply.Device, HeadOffice: base, CA: carried.CA, Certificate: reply.Certificate, PrivateKey: keyPEM, StateKey: reply.StateKey,
	}, nil
}

// Check tells whether a head office can be asked with this token.
// Codes: head_office_invalid, token_invalid.
func Check(headOffice, token string) error {
	_, _, err := check(headOffice, token)
	return err
}

func check(headOffice, token string) (string, wire.EnrolToken, error) {
	var carried wire.EnrolToken
	address, err := url.Parse(headOffice)
	if err != nil || address.Scheme != "https" || address.Host == "" || strings.Trim(address.Path, "/") != "" {
		return "", carried, fault.New(fault.Usage, "head_office_invalid", "%q is not the address of a head office", headOffice).
			WithHint("an address such as https://headoffice.bank.example:7800")
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(token), "="))
	if err == nil {
		err = json.Unmarshal(raw, &carried)
	}
	if err != nil || carried.Token == "" || carried.CA == "" {
		return "", carried, fault.New(fault.Usage, "token_invalid", "this is not an enrolment token").
			WithHint("get one at head office: headoffice device token")
	}
	return address.Scheme + "://" + address.Host, carried, nil
}

// NewKey makes a device key, as PEM.
func NewKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make device key: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode device key: %w", err)
	}
	return encode("PRIVATE KEY", private), nil
}

// signingRequest makes the CSR for a key, both PEM.
func signingRequest(keyPEM string) (string, error) {
	block, _ := pem.Decode([]byte(keyPEM))
	if block == nil {
		return "", fault.New(fault.Application, "identity_damaged", "the device's key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("read device key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "branchbot device"}}, key)
	if err != nil {
		return "", fmt.Errorf("make signing request: %w", err)
	}
	return encode("CERTIFICATE REQUEST", request), nil
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// Expiry is when the device's certificate ends.
func Expiry(identity vault.Identity) (time.Time, error) {
	block, _ := pem.Decode([]byte(identity.Certificate))
	if block == nil {
		return time.Time{}, fault.New(fault.Application, "identity_damaged", "the device's certificate is not PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, fault.New(fault.Application, "identity_damaged", "read the device's certificate: %w", err)
	}
	return certificate.NotAfter, nil
}

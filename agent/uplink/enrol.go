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
	"net/http"
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

// Enrol makes a key, proves the token and returns the identity that head office
// gave. The token binds the device to that head office: its CA travels inside,
// so the very first connection is verified. Codes: token_invalid and head office's own.
func Enrol(ctx context.Context, headOffice, token string, about About) (vault.Identity, error) {
	base, carried, err := check(headOffice, token)
	if err != nil {
		return vault.Identity{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return vault.Identity{}, fmt.Errorf("make device key: %w", err)
	}
	csr, keyPEM, err := signingRequest(key)
	if err != nil {
		return vault.Identity{}, err
	}
	t, err := transport(carried.CA, nil, about.Proxy)
	if err != nil {
		return vault.Identity{}, err
	}
	defer t.CloseIdleConnections()
	var reply wire.EnrolReply
	err = post(ctx, &http.Client{Transport: t}, base+"/v1/enrol",
		wire.EnrolRequest{Token: carried.Token, CSR: csr, Hostname: about.Hostname, Version: about.Version}, &reply)
	if err != nil {
		return vault.Identity{}, fmt.Errorf("enrol at %s: %w", base, err)
	}
	if _, err := tls.X509KeyPair([]byte(reply.Certificate), []byte(keyPEM)); err != nil {
		return vault.Identity{}, fault.New(fault.Application, "head_office_reply", "head office's certificate does not fit this device's key: %w", err)
	}
	return vault.Identity{
		Device: reply.Device, HeadOffice: base, CA: carried.CA, Certificate: reply.Certificate, PrivateKey: keyPEM, StateKey: reply.StateKey,
	}, nil
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

// signingRequest makes the CSR and the key, both PEM.
func signingRequest(key *ecdsa.PrivateKey) (csr, keyPEM string, err error) {
	request, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "branchbot device"}}, key)
	if err != nil {
		return "", "", fmt.Errorf("make signing request: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", fmt.Errorf("encode device key: %w", err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE REQUEST", request), encode("PRIVATE KEY", private), nil
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

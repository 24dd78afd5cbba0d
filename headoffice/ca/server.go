package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"time"
)

// ServerCertificate holds the certificate of head office's listener. Its key
// lives in memory only: every start, and two thirds through the certificate's
// life, it makes a new one.
type ServerCertificate struct {
	authority *Authority
	names     []string

	mu      sync.Mutex
	current *tls.Certificate
	renew   time.Time
}

// Server prepares a listener certificate for names (host names and addresses).
func (a *Authority) Server(names []string) *ServerCertificate {
	return &ServerCertificate{authority: a, names: names}
}

// Get is for tls.Config.GetCertificate.
func (s *ServerCertificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.current != nil && now.Before(s.renew) {
		return s.current, nil
	}
	fresh, err := s.authority.signServer(s.names, now)
	if err != nil {
		return nil, err
	}
	s.current, s.renew = fresh, now.Add(ServerLife*2/3)
	return fresh, nil
}

func (a *Authority) signServer(names []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	template, err := blank("branchbot head office", now, ServerLife)
	if err != nil {
		return nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	cert, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign server certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

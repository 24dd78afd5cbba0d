package ca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"branchbot/internal/fault"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := Create(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthoritySurvivesStorage(t *testing.T) {
	t.Parallel()
	a := authority(t)
	key, err := a.Key()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(a.Certificate(), key)
	if err != nil || again.PEM() != a.PEM() {
		t.Fatalf("open: %v", err)
	}
	other, err := authority(t).Key()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a.Certificate(), other); err == nil {
		t.Error("a key that is not the certificate's was accepted")
	}
}

func TestDeviceCertificate(t *testing.T) {
	t.Parallel()
	a, now := authority(t), time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, chain, err := a.SignDevice("dev_x", key.Public(), now)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.CommonName != "dev_x" || cert.IsCA || cert.NotAfter.Sub(now) > DeviceLife {
		t.Errorf("certificate of %s, CA %v, until %s", cert.Subject.CommonName, cert.IsCA, cert.NotAfter)
	}
	if block, rest := pem.Decode([]byte(chain)); block == nil || len(rest) == 0 {
		t.Error("the chain does not hold certificate and CA")
	}
	if err := a.VerifyDevice(cert); err != nil {
		t.Error(err)
	}
	if err := authority(t).VerifyDevice(cert); err == nil {
		t.Error("another authority accepts it")
	}
	server, err := a.signServer([]string{"localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.VerifyDevice(server.Leaf); err == nil {
		t.Error("a server certificate passes for a device's")
	}
}

func TestServerCertificate(t *testing.T) {
	t.Parallel()
	a := authority(t)
	server := a.Server([]string{"localhost", "127.0.0.1", "::1"})
	first, err := server.Get(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := first.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if second, err := server.Get(nil); err != nil || second != first {
		t.Errorf("a new certificate for each connection: %v", err)
	}
	server.renew = time.Now()
	if third, err := server.Get(nil); err != nil || third == first {
		t.Errorf("not renewed in time: %v", err)
	}
}

func request(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestKeyTypes(t *testing.T) {
	t.Parallel()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for curve, want := range map[elliptic.Curve]bool{elliptic.P224(): false, elliptic.P256(): true, elliptic.P384(): true, elliptic.P521(): false} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRequest(request(t, key)); (err == nil) != want {
			t.Errorf("%s: %v, want accepted %v", curve.Params().Name, err, want)
		}
	}
	if _, err := ParseRequest(request(t, edwards)); err != nil {
		t.Errorf("Ed25519: %v", err)
	}
}

func FuzzParseRequest(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request(f, key))
	f.Add("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseRequest(text)
		if err == nil && !trusted(got.PublicKey) || err != nil && !fault.HasCode(err, "csr_invalid") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	})
}

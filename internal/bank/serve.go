package bank

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"time"
)

// Listen says how a site is served.
type Listen struct {
	Address string // default 127.0.0.1:0
	TLS     bool   // with a certificate of a throw-away CA
	HTTP2   bool   // offered beside HTTP/1.1; needs TLS
}

// Running is a served site.
type Running struct {
	URL   string // http(s)://127.0.0.1:PORT
	CA    []byte // PEM of the throw-away CA, nil without TLS
	close func() error
}

// Close stops serving and waits for it. Requests that hang are ended.
func (r *Running) Close() error { return r.close() }

// Start serves the site until ctx is done or Close is called.
func (s *Site) Start(ctx context.Context, how Listen) (*Running, error) {
	if how.Address == "" {
		how.Address = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", how.Address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	running := &Running{URL: "http://" + listener.Addr().String()}
	serving, stop := context.WithCancel(ctx)
	server := &http.Server{
		Handler: s.handler, ConnContext: withConnection, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return serving },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // cut connections are on purpose
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(how.HTTP2)
	if how.TLS {
		running.URL = "https://" + listener.Addr().String()
		certificate, ca, err := makeCertificate()
		if err != nil {
			stop()
			return nil, errors.Join(err, listener.Close())
		}
		running.CA = ca
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	}
	running.close = serve(serving, stop, server, listener)
	return running, nil
}

// serve owns the server's goroutines; the function returned ends them.
func serve(serving context.Context, stop context.CancelFunc, server *http.Server, listener net.Listener) func() error {
	ended := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			ended <- server.ServeTLS(listener, "", "")
			return
		}
		ended <- server.Serve(listener)
	}()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-serving.Done()
		_ = server.Close()
	}()
	return func() error {
		stop()
		<-closed
		err := <-ended
		ended <- http.ErrServerClosed // Close may be called twice
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}

func makeCertificate() (tls.Certificate, []byte, error) {
	ca, caKey, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "sample bank test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, key, err := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "sample bank"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}), nil
}

// sign makes a certificate with a new key, signed by parent or by itself.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(7*24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

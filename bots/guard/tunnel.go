package guard

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// identity is the one self-signed leaf of a run. There is no CA: the browser
// pins this leaf's key, and the key never leaves the memory of the run.
type identity struct {
	config *tls.Config
	spki   string
}

func newIdentity() (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "branchbot run"},
		NotBefore:    time.Now().Add(-24 * time.Hour), // the PC's clock may be set back meanwhile
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return &identity{spki: base64.StdEncoding.EncodeToString(sum[:]), config: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
		NextProtos:         []string{"http/1.1"},
		GetConfigForClient: checkServerName,
	}}, nil
}

// checkServerName refuses a handshake for another host than CONNECT named.
// Addresses have no server name.
func checkServerName(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	inside, ok := hello.Conn.(*tunnel)
	if !ok {
		return nil, errors.New("TLS outside a tunnel")
	}
	name := inside.to.name()
	if hello.ServerName != name && (hello.ServerName != "" || net.ParseIP(name) == nil) {
		return nil, fmt.Errorf("server name %q inside a tunnel to %q", hello.ServerName, name)
	}
	return nil, nil
}

// tunnel is the browser's side of a CONNECT.
type tunnel struct {
	net.Conn
	reader *bufio.Reader // what came with the CONNECT, then the connection
	to     target
}

func (t *tunnel) Read(b []byte) (int, error) { return t.reader.Read(b) }

type tunnelKey struct{}

func withTunnel(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if inside, ok := conn.(*tunnel); ok {
		return context.WithValue(ctx, tunnelKey{}, inside.to)
	}
	return ctx
}

// tunnels is a listener fed by CONNECT.
type tunnels struct {
	address net.Addr
	ready   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newTunnels(address net.Addr) *tunnels {
	return &tunnels{address: address, ready: make(chan net.Conn), closed: make(chan struct{})}
}

func (t *tunnels) add(conn net.Conn) {
	select {
	case t.ready <- conn:
	case <-t.closed:
		conn.Close() //nolint:errcheck // nobody is there any more
	}
}

// Accept implements net.Listener.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.ready:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr implements net.Listener.
func (t *tunnels) Addr() net.Addr { return t.address }

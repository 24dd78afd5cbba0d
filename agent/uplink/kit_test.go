package uplink

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// certificate makes a certificate for loopback that is its own CA.
func certificate(t *testing.T) (pair tls.Certificate, certPEM, keyPEM string) {
	t.Helper()
	keyPEM, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(keyPEM))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certPEM = signed(t, template, template, key, &key.(*ecdsa.PrivateKey).PublicKey)
	if pair, err = tls.X509KeyPair([]byte(certPEM), []byte(keyPEM)); err != nil {
		t.Fatal(err)
	}
	return pair, certPEM, keyPEM
}

func signed(t *testing.T, template, parent *x509.Certificate, key, public any) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der)
}

// office is a head office that misbehaves where a test says so.
type office struct {
	t           *testing.T
	server      *httptest.Server
	ca          string
	mu          sync.Mutex
	incarnation string
	records     [][]byte // by seq, from 1
	calls       int
	evidence    map[string]int
	// spoil may answer instead (true), or change the reply that is then sent.
	spoil func(o *office, call int, request wire.IngestRequest, reply *wire.IngestReply, w http.ResponseWriter) bool
	cut   bool // the connection, once what came is stored
}

func newOffice(t *testing.T) *office {
	t.Helper()
	pair, ca, _ := certificate(t)
	o := &office{t: t, ca: ca, incarnation: "first", evidence: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/ingest", o.ingest)
	mux.HandleFunc("PUT /v1/evidence/{digest}", o.keep)
	mux.HandleFunc("HEAD /v1/evidence/{digest}", o.has)
	o.server = httptest.NewUnstartedServer(mux)
	o.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	o.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	o.server.StartTLS()
	t.Cleanup(o.server.Close)
	return o
}

func (o *office) ingest(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var request wire.IngestRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		o.t.Errorf("ingest: %v", err)
	}
	o.calls++
	reply := wire.IngestReply{Incarnation: o.incarnation, Epoch: request.Epoch, MaxBatch: 10}
	if o.spoil != nil && o.spoil(o, o.calls, request, &reply, w) {
		return
	}
	o.store(request)
	if o.cut {
		o.cut = false
		hangUp(w)
		return
	}
	if reply.NextSeq == 0 {
		reply.NextSeq = uint64(len(o.records)) + 1
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// store keeps what is new; what comes again must be the same bytes.
func (o *office) store(request wire.IngestRequest) {
	for i, raw := range request.Records {
		switch at := request.FirstSeq + uint64(i) - 1; {
		case at < uint64(len(o.records)):
			if !bytes.Equal(o.records[at], raw) {
				o.t.Errorf("record %d came again and differs", at+1)
			}
		case at == uint64(len(o.records)):
			o.records = append(o.records, bytes.Clone(raw))
		default:
			o.t.Errorf("record %d came before record %d", at+1, len(o.records)+1)
		}
	}
}

func (o *office) has(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for content := range o.evidence {
		if wire.Digest([]byte(content)) == r.PathValue("digest") {
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}

func (o *office) keep(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil || wire.Digest(content) != r.PathValue("digest") {
		o.t.Errorf("evidence %s: %v", r.PathValue("digest"), err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.evidence[string(content)]++
	if string(content) == "poison" {
		refuse(w, http.StatusUnprocessableEntity, "evidence_refused")
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": fault.ToWire(fault.New(fault.Refused, code, "refused"))})
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// device is a store with an uplink.
type device struct {
	*Uplink
	t     *testing.T
	store *store.Store
}

func newDevice(t *testing.T, o *office) *device {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	logger := slog.New(slog.DiscardHandler)
	keeper, err := evidence.Open(evidence.Options{Dir: t.TempDir(), Store: s, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, store: s, Uplink: New(Options{
		Store: s, Evidence: keeper, Logger: logger, Interval: 5 * time.Millisecond, Backoff: 5 * time.Millisecond,
	})}
	if o != nil {
		d.enrol(o.server.URL, o.ca)
	}
	return d
}

func (d *device) enrol(address, ca string) {
	d.t.Helper()
	_, cert, key := certificate(d.t)
	d.update(func(tx *store.Tx) error {
		return vault.PutIdentity(tx, vault.Identity{Device: "dev_a", HeadOffice: address, CA: ca, Certificate: cert, PrivateKey: key})
	})
}

func (d *device) update(fn func(*store.Tx) error) {
	d.t.Helper()
	if err := d.store.Update(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

// add puts n results in line.
func (d *device) add(n int) {
	d.t.Helper()
	d.update(func(tx *store.Tx) error {
		for range n {
			_, err := outbox.Add(tx, wire.Record{Device: "dev_a", Kind: wire.KindRun, Subject: wire.NewID(wire.RunPrefix), Body: json.RawMessage(`{}`)})
			if err != nil {
				return err
			}
		}
		return nil
	})
	d.Wake()
}

func (d *device) status() (status outbox.Status) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		var err error
		status, err = outbox.Read(tx)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return status
}

// start runs the uplink until the test ends.
func (d *device) start() {
	var running sync.WaitGroup
	running.Go(func() { d.Run(d.t.Context()) })
	d.t.Cleanup(running.Wait) // the context ends before
}

func (d *device) until(what string, holds func() bool) {
	d.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-d.t.Context().Done():
			d.t.Fatalf("still waiting for: %s", what)
		}
	}
}

// Package hotest starts a real head office on loopback for tests, and devices
// that enrol and report over TLS as real ones do.
package hotest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"branchbot/configs"
	"branchbot/headoffice"
	"branchbot/headoffice/access"
	"branchbot/headoffice/enrol"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Office is a running head office.
type Office struct {
	Base  string
	Data  string
	Parts *headoffice.Parts
	stop  context.CancelFunc
	done  chan error
}

// Start serves from a folder (a new one if data is empty) until the test ends.
func Start(t testing.TB, data string) *Office {
	t.Helper()
	if data == "" {
		data = t.TempDir()
	}
	config := configs.DefaultHeadOffice()
	config.Data, config.Listen = data, "127.0.0.1:0"
	ctx, stop := context.WithCancel(context.Background())
	office := &Office{Data: data, stop: stop, done: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		office.done <- headoffice.Serve(ctx, headoffice.Options{
			Config: config, Log: slog.New(slog.DiscardHandler),
			Ready: func(base string, parts *headoffice.Parts) error {
				office.Base, office.Parts = base, parts
				close(ready)
				return nil
			},
		})
	}()
	select {
	case <-ready:
	case err := <-office.done:
		t.Fatalf("start head office: %v", err)
	}
	t.Cleanup(func() { office.Stop(t) })
	return office
}

// Stop ends it as the first signal does. It may be called twice.
func (o *Office) Stop(t testing.TB) {
	t.Helper()
	o.stop()
	if err := <-o.done; err != nil {
		t.Errorf("stop head office: %v", err)
	}
	o.done <- nil
}

// Token makes an enrolment token.
func (o *Office) Token(t testing.TB, options enrol.TokenOptions) string {
	t.Helper()
	options.Count = 1
	if options.Valid == 0 {
		options.Valid = time.Hour
	}
	tokens, err := o.Parts.Enrolment(true).NewTokens(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	return tokens[0].Token
}

// Link makes a one-time way into the console.
func (o *Office) Link(t testing.TB, role access.Role) string {
	t.Helper()
	link, err := headoffice.NewLink(t.Context(), o.Parts.Store, o.Base, role, "li.lei")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// Browser is a console session with a role.
func (o *Office) Browser(t testing.TB, role access.Role) *Browser {
	t.Helper()
	link := o.Link(t, role)
	b := &Browser{Base: o.Base, Client: client(o.Parts.Authority.Pool(), nil), Header: http.Header{}}
	reply, body := b.Do(t, "GET", strings.TrimPrefix(link, o.Base), "")
	if reply.StatusCode != http.StatusOK || len(reply.Cookies()) == 0 {
		t.Fatalf("enter: %s: %s", reply.Status, body)
	}
	b.Header.Set("Cookie", reply.Cookies()[0].Name+"="+reply.Cookies()[0].Value)
	return b
}

// Browser sends requests with a session's cookie.
type Browser struct {
	Base   string
	Client *http.Client
	Header http.Header
}

// Do sends a request; a form's body is urlencoded.
func (b *Browser) Do(t testing.TB, method, path, form string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.Base+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = b.Header.Clone()
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	reply, err := b.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply, string(body)
}

func client(roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
}

// Device is an enrolled device.
type Device struct {
	ID     string
	Base   string
	Epoch  string
	Client *http.Client
	Reply  wire.EnrolReply
}

// NewKey makes a device key and its certificate request.
func NewKey(t testing.TB) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// Enrol enrols a new device with a token.
func Enrol(t testing.TB, base, token string) *Device {
	t.Helper()
	key, csr := NewKey(t)
	device, err := EnrolWith(t, base, token, key, csr)
	if err != nil {
		t.Fatalf("enrol: %v", err)
	}
	return device
}

// EnrolWith enrols with a given key; the error is head office's.
func EnrolWith(t testing.TB, base, token string, key *ecdsa.PrivateKey, csr string) (*Device, error) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	var carried wire.EnrolToken
	if err := json.Unmarshal(text, &carried); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(carried.CA))
	device := &Device{Base: base, Epoch: "epoch-1", Client: client(roots, nil)}
	err = device.Call("POST", "/v1/enrol", wire.EnrolRequest{Token: carried.Token, CSR: csr, Hostname: "pc-" + carried.Token[:4], Version: "1.0"}, &device.Reply)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(device.Reply.Certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	if err != nil {
		t.Fatal(err)
	}
	device.ID, device.Client = device.Reply.Device, client(roots, &pair)
	return device, nil
}

// Call sends JSON (or bytes) and reads the JSON reply; a refusal comes back as
// the coded error it carries.
func (d *Device) Call(method, path string, body, into any) error {
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, d.Base+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	reply, err := d.Client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode/100 != 2 {
		var problem struct{ Error *fault.Wire }
		if err := json.NewDecoder(reply.Body).Decode(&problem); err != nil || problem.Error == nil {
			return fmt.Errorf("answer %s without a coded error: %w", reply.Status, err)
		}
		return problem.Error.Err()
	}
	if into == nil {
		_, err := io.Copy(io.Discard, reply.Body)
		return err
	}
	return json.NewDecoder(reply.Body).Decode(into)
}

// Record makes the run record of a seq.
func (d *Device) Record(seq uint64) json.RawMessage {
	started := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second)
	finished := started.Add(3 * time.Second)
	return d.RunRecord(seq, wire.Run{
		Run: fmt.Sprintf("run_%s_%d", d.Epoch, seq), Bot: "account-opening", Version: "1.4.0", Digest: "sha256:0", Trust: "embedded",
		Trigger: "manual", State: wire.Succeeded, Output: json.RawMessage(`{"account":"6222"}`),
		By: wire.By{Person: "wang", Kind: wire.ByUnverified}, BusinessDate: "2026-11-23", Started: started, Finished: &finished,
	})
}

// RunRecord makes the record of a run.
func (d *Device) RunRecord(seq uint64, run wire.Run) json.RawMessage {
	body, err := json.Marshal(run)
	if err != nil {
		panic(err)
	}
	raw, err := json.Marshal(wire.Record{
		V: wire.RecordVersion, Device: d.ID, Epoch: d.Epoch, Seq: seq, Kind: wire.KindRun, Subject: run.Run,
		Created: run.Started, BusinessDate: run.BusinessDate, By: run.By, Body: body,
	})
	if err != nil {
		panic(err)
	}
	return raw
}

// Records makes the records from one seq to another.
func (d *Device) Records(from, to uint64) []json.RawMessage {
	list := []json.RawMessage{}
	for seq := from; seq <= to; seq++ {
		list = append(list, d.Record(seq))
	}
	return list
}

// Send sends records.
func (d *Device) Send(records ...json.RawMessage) (wire.IngestReply, error) {
	var reply wire.IngestReply
	err := d.Call("POST", "/v1/ingest", wire.IngestRequest{Device: d.ID, Epoch: d.Epoch, Records: records}, &reply)
	return reply, err
}

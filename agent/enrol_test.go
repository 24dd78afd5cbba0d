package agent_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/control"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// enrolling is a head office that lets the first key of a token in, and answers
// when it likes: each answer is "cut", "waiting" or "in".
type enrolling struct {
	t       *testing.T
	mu      sync.Mutex
	answers []string
	keys    []string // as they came
}

func (e *enrolling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var request wire.EnrolRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		e.t.Errorf("enrol: %v", err)
	}
	block, _ := pem.Decode([]byte(request.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		e.t.Errorf("request: %v", err)
	}
	e.keys = append(e.keys, string(csr.RawSubjectPublicKeyInfo))
	answer := e.answers[0]
	e.answers = e.answers[1:]
	switch answer {
	case "cut":
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	case "waiting":
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": fault.ToWire(fault.New(fault.Waiting, "approval_waiting", "wait").WithHint("ask"))})
	case "in":
		_ = json.NewEncoder(w).Encode(wire.EnrolReply{Device: "dev_a", Certificate: e.certify(csr.PublicKey)})
	}
}

func (e *enrolling) certify(public any) string {
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		e.t.Error(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, authority)
	if err != nil {
		e.t.Error(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// A reply that was lost, an approval that takes days and a restart in between:
// the device asks again with the key that it asked with first.
func TestTheEnrolmentKeyStaysTheSame(t *testing.T) {
	t.Parallel()
	office := &enrolling{t: t, answers: []string{"cut", "waiting", "waiting", "in"}}
	server := httptest.NewTLSServer(office)
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	ask := control.Enroll{HeadOffice: server.URL, Token: token(t, ca, "one")}
	dir := t.TempDir()
	var codes []string
	for i := range 4 {
		a := open(t, options(dir, &book{}))
		told, err := a.Enroll(t.Context(), ask)
		codes = append(codes, fault.Code(err))
		if err == nil && told.Device != "dev_a" {
			t.Errorf("enrolled as %+v", told)
		}
		if i == 1 { // another token does not make it forget
			if _, err := a.Enroll(t.Context(), control.Enroll{HeadOffice: "https://127.0.0.1:1", Token: token(t, ca, "two")}); !fault.HasCode(err, "head_office_unreachable") {
				t.Errorf("another head office: %v", err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"head_office_unreachable", "approval_waiting", "approval_waiting", ""}; !cmp.Equal(codes, want) {
		t.Errorf("answers %q, want %q", codes, want)
	}
	for i, key := range office.keys {
		if key != office.keys[0] {
			t.Errorf("request %d came with another key", i+1)
		}
	}
	if _, err := open(t, options(dir, &book{})).Enroll(t.Context(), ask); !fault.HasCode(err, "already_enrolled") {
		t.Errorf("once more: %v, want already_enrolled", err)
	}
}

func token(t *testing.T, ca, secret string) string {
	t.Helper()
	raw, err := json.Marshal(wire.EnrolToken{Token: secret, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

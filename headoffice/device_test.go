package headoffice_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"branchbot/headoffice/enrol"
	"branchbot/headoffice/evidence"
	"branchbot/headoffice/hotest"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.HasCode(err, code) {
		t.Fatalf("error %v has code %q, want %q", err, fault.Code(err), code)
	}
}

func start(t *testing.T) (*hotest.Office, *hotest.Device) {
	t.Helper()
	office := hotest.Start(t, "")
	return office, hotest.Enrol(t, office.Base, office.Token(t, enrol.TokenOptions{}))
}

func runCount(t *testing.T, office *hotest.Office) int {
	t.Helper()
	counts, err := office.Parts.Store.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counts.Runs
}

func TestEnrolAndReport(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	if !strings.HasPrefix(device.ID, wire.DevicePrefix) {
		t.Errorf("device id %q", device.ID)
	}
	if key, err := base64.StdEncoding.DecodeString(device.Reply.StateKey); err != nil || len(key) != 32 {
		t.Errorf("state key %q is not an Ed25519 key: %v", device.Reply.StateKey, err)
	}
	for _, want := range []uint64{4, 4} { // a duplicate changes nothing
		reply, err := device.Send(device.Records(1, 3)...)
		if err != nil || reply.NextSeq != want || reply.Epoch != device.Epoch || reply.MaxBatch == 0 || reply.Incarnation == "" {
			t.Fatalf("reply %+v, %v; want next %d", reply, err, want)
		}
	}
	if reply, err := device.Send(device.Records(6, 7)...); err != nil || reply.NextSeq != 4 {
		t.Errorf("a gap: %+v, %v; want next 4", reply, err)
	}
	if reply, err := device.Send(); err != nil || reply.NextSeq != 4 {
		t.Errorf("nothing: %+v, %v; want next 4", reply, err)
	}
	if got := runCount(t, office); got != 3 {
		t.Errorf("%d runs, want 3", got)
	}
}

func TestTwoDevicesDoNotMeet(t *testing.T) {
	t.Parallel()
	office, first := start(t)
	second := hotest.Enrol(t, office.Base, office.Token(t, enrol.TokenOptions{}))
	for _, device := range []*hotest.Device{first, second} {
		if reply, err := device.Send(device.Records(1, 2)...); err != nil || reply.NextSeq != 3 {
			t.Fatalf("%+v, %v", reply, err)
		}
	}
	if got := runCount(t, office); got != 4 { // the same run ids on both
		t.Errorf("%d runs, want 4", got)
	}
	err := first.Call("POST", "/v1/ingest", wire.IngestRequest{Device: second.ID, Epoch: "e", Records: second.Records(3, 3)}, nil)
	wantCode(t, err, "device_mismatch")
}

func TestReportsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	office, first := start(t)
	devices := []*hotest.Device{first}
	for range 4 {
		devices = append(devices, hotest.Enrol(t, office.Base, office.Token(t, enrol.TokenOptions{})))
	}
	var wait sync.WaitGroup
	for _, device := range devices {
		wait.Go(func() {
			for next := uint64(1); next <= 40; {
				reply, err := device.Send(device.Records(next, next+3)...)
				if err != nil || reply.NextSeq != next+4 {
					t.Errorf("%s: %+v, %v; want next %d", device.ID, reply, err, next+4)
					return
				}
				next = reply.NextSeq
			}
		})
	}
	wait.Wait()
	if got := runCount(t, office); got != 200 {
		t.Errorf("%d runs, want 200", got)
	}
}

func TestUnreadableRecordsDoNotBlock(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	foreign := *device
	foreign.ID = "dev_foreign"
	for i, records := range [][]json.RawMessage{
		{json.RawMessage(`null`)},
		{json.RawMessage(`[]`), json.RawMessage(`"x"`)},
		{json.RawMessage(`{"seq":-1}`), device.Record(5), json.RawMessage(`{}`)},
		{foreign.Record(7), device.RunRecord(8, wire.Run{})},
		{json.RawMessage(`{"v":99,"device":"` + device.ID + `","epoch":"` + device.Epoch + `","seq":9,"kind":"hologram","subject":"s","created":"2026-11-23T09:00:00Z","body":3}`)},
	} {
		want := []uint64{2, 4, 7, 9, 10}[i]
		for range 2 { // also when the reply was lost and it comes again
			reply, err := device.Send(records...)
			if err != nil || reply.NextSeq != want {
				t.Fatalf("batch %d: %+v, %v; want next %d", i, reply, err, want)
			}
		}
	}
	counts, err := office.Parts.Store.Counts(t.Context())
	if err != nil || counts.Flagged != 8 || counts.Runs != 1 {
		t.Errorf("counts %+v, %v; want 8 flagged, 1 run", counts, err)
	}
}

func TestOneSequenceTwoContents(t *testing.T) {
	t.Parallel()
	_, device := start(t)
	if _, err := device.Send(device.Records(1, 2)...); err != nil {
		t.Fatal(err)
	}
	_, err := device.Send(device.RunRecord(2, wire.Run{Run: "run_other", Bot: "b", State: wire.Failed, Started: time.Now()}))
	wantCode(t, err, "device_halted")
	_, err = device.Send(device.Records(3, 3)...)
	wantCode(t, err, "device_halted")
	wantCode(t, device.Call("PUT", "/v1/evidence/sha256:"+strings.Repeat("a", 64), []byte("x"), nil), "device_halted")
}

func TestRevokedDevice(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	if _, err := device.Send(device.Records(1, 1)...); err != nil {
		t.Fatal(err)
	}
	if err := office.Parts.Store.Revoke(t.Context(), device.ID, store.Actor{}); err != nil {
		t.Fatal(err)
	}
	_, err := device.Send(device.Records(2, 2)...) // on the same open connection
	wantCode(t, err, "device_unknown")
	if got := runCount(t, office); got != 1 {
		t.Errorf("%d runs, want what was reported to stay", got)
	}
}

func TestForeignCertificate(t *testing.T) {
	t.Parallel()
	_, device := start(t)
	other, stranger := start(t)
	stranger.Base = device.Base
	tr := stranger.Client.Transport.(*http.Transport)
	tr.TLSClientConfig.InsecureSkipVerify = true //nolint:gosec // the stranger does not care who we are
	if _, err := stranger.Send(); err == nil {
		t.Error("a certificate of another head office was accepted")
	}
	device.Base = other.Base
	if _, err := device.Send(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a device spoke to a head office of another CA: %v", err)
	}
}

func TestEnrolmentRefusals(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	token := office.Token(t, enrol.TokenOptions{})
	key, csr := hotest.NewKey(t)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, csr string }{
		{"empty", ""},
		{"text", "hello"},
		{"two", csr + csr},
		{"huge", strings.Repeat("A", 9000)},
		{"not a request", strings.ReplaceAll(csr, "CERTIFICATE REQUEST", "CERTIFICATE")},
		{"changed", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: spoiled(csr)}))},
		{"RSA", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))},
	} {
		_, err := hotest.EnrolWith(t, office.Base, token, key, c.csr)
		if !fault.HasCode(err, "csr_invalid") {
			t.Errorf("%s: %v, want csr_invalid", c.name, err)
		}
	}
	if _, err := hotest.EnrolWith(t, office.Base, token, key, csr); err != nil {
		t.Errorf("refused requests used up the token: %v", err)
	}
	late := office.Token(t, enrol.TokenOptions{Valid: time.Nanosecond})
	_, err = hotest.EnrolWith(t, office.Base, late, key, csr)
	wantCode(t, err, "token_expired")
	stranger := office.Token(t, enrol.TokenOptions{})
	carried, _ := base64.RawURLEncoding.DecodeString(stranger)
	unknown := bytes.Replace(carried, carried[10:15], []byte("AAAAA"), 1)
	_, err = hotest.EnrolWith(t, office.Base, base64.RawURLEncoding.EncodeToString(unknown), key, csr)
	wantCode(t, err, "token_unknown")
}

// spoiled is a request whose signature is no longer right.
func spoiled(csr string) []byte {
	block, _ := pem.Decode([]byte(csr))
	block.Bytes[len(block.Bytes)-1] ^= 1
	return block.Bytes
}

func TestTokenUsedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	token := office.Token(t, enrol.TokenOptions{})
	errs := make([]error, 6)
	var wait sync.WaitGroup
	for i := range errs {
		key, csr := hotest.NewKey(t)
		wait.Go(func() { _, errs[i] = hotest.EnrolWith(t, office.Base, token, key, csr) })
	}
	wait.Wait()
	won := slices.Index(errs, nil)
	for i, err := range errs {
		if i != won {
			wantCode(t, err, "token_used")
		}
	}
}

// A lost reply costs nothing: the same key gets its own device again, and only
// its latest certificate counts.
func TestSameKeyEnrolsAgain(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	token := office.Token(t, enrol.TokenOptions{})
	key, csr := hotest.NewKey(t)
	first, err := hotest.EnrolWith(t, office.Base, token, key, csr)
	if err != nil {
		t.Fatal(err)
	}
	second, err := hotest.EnrolWith(t, office.Base, token, key, csr)
	if err != nil || second.ID != first.ID {
		t.Fatalf("again: %v, %v; want device %s", second, err, first.ID)
	}
	if _, err := second.Send(); err != nil {
		t.Error(err)
	}
	_, err = first.Send()
	wantCode(t, err, "device_unknown")
}

func TestApprovalByHand(t *testing.T) {
	t.Parallel()
	office := hotest.Start(t, "")
	token := office.Token(t, enrol.TokenOptions{ByHand: true})
	key, csr := hotest.NewKey(t)
	_, err := hotest.EnrolWith(t, office.Base, token, key, csr)
	wantCode(t, err, "approval_waiting")
	if err := office.Parts.Store.Approve(t.Context(), fault.Of(err).Facts["device"], store.Actor{Person: "li"}); err != nil {
		t.Fatal(err)
	}
	device, err := hotest.EnrolWith(t, office.Base, token, key, csr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := device.Send(device.Records(1, 1)...); err != nil {
		t.Error(err)
	}
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	_, device := start(t)
	huge := bytes.Repeat([]byte(" "), 17<<20)
	for _, c := range []struct {
		name, path string
		body       []byte
		code       string
	}{
		{"huge", "/v1/ingest", append(huge, '{', '}'), "request_too_large"},
		{"huge enrolment", "/v1/enrol", huge[:1<<20], "request_too_large"},
		{"not JSON", "/v1/ingest", []byte("<xml/>"), "request_invalid"},
		{"cut", "/v1/ingest", []byte(`{"device":`), "request_invalid"},
		{"two documents", "/v1/ingest", []byte(`{}{}`), "request_invalid"},
		{"deep", "/v1/ingest", bytes.Repeat([]byte("["), 1<<20), "request_invalid"},
		{"no epoch", "/v1/ingest", fmt.Appendf(nil, `{"device":%q}`, device.ID), "request_invalid"},
		{"nobody", "/v1/ingest", []byte(`{}`), "device_mismatch"},
	} {
		if err := device.Call("POST", c.path, c.body, nil); !fault.HasCode(err, c.code) {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	if reply, err := device.Send(device.Records(1, 1)...); err != nil || reply.NextSeq != 2 {
		t.Errorf("afterwards: %+v, %v", reply, err)
	}
}

func TestMoreThanABatch(t *testing.T) {
	t.Parallel()
	_, device := start(t)
	reply, err := device.Send(device.Records(1, 1100)...)
	if err != nil || reply.NextSeq != uint64(reply.MaxBatch)+1 {
		t.Errorf("%+v, %v; want the first max_batch to be taken", reply, err)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	_, device := start(t)
	digest := wire.Digest([]byte("plain"))
	for _, c := range []struct {
		name, digest string
		body         []byte
		code         string
	}{
		{"first", digest, []byte("plain"), ""},
		{"again", digest, []byte("plain"), ""},
		{"something else", digest, []byte("other"), "digest_mismatch"},
		{"empty", wire.Digest([]byte("e")), nil, "evidence_empty"},
		{"not a digest", "sha256:../../etc/passwd", []byte("x"), ""},
		{"no prefix", strings.Repeat("a", 64), []byte("x"), "digest_invalid"},
		{"upper case", "sha256:" + strings.Repeat("A", 64), []byte("x"), "digest_invalid"},
		{"dots", "sha256:%2e%2e%2f%2e%2e%2fx", []byte("x"), "digest_invalid"},
		{"huge", wire.Digest([]byte("h")), make([]byte, evidence.MaxBytes+1), "request_too_large"},
	} {
		err := device.Call("PUT", "/v1/evidence/"+c.digest, c.body, nil)
		if c.name == "not a digest" {
			if err == nil {
				t.Error("a path was accepted as a digest")
			}
			continue
		}
		if fault.Code(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
		}
	}
}

// What a device was told is there after a stop and a start; so are CA and keys.
func TestRestart(t *testing.T) {
	t.Parallel()
	office, device := start(t)
	before, err := device.Send(device.Records(1, 3)...)
	if err != nil {
		t.Fatal(err)
	}
	office.Stop(t)
	if _, err := device.Send(); err == nil {
		t.Fatal("a stopped head office answers")
	}
	again := hotest.Start(t, office.Data)
	device.Base = again.Base
	after, err := device.Send(device.Records(1, 5)...)
	if err != nil || after.NextSeq != 6 || after.Incarnation != before.Incarnation {
		t.Errorf("%+v, %v; want next 6 and incarnation %s", after, err, before.Incarnation)
	}
}

package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/ca"
	"branchbot/headoffice/console"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/evidence"
	"branchbot/headoffice/ingest"
	"branchbot/headoffice/store"
	"branchbot/headoffice/store/sqlite"
)

func newServer(t *testing.T) *Server {
	t.Helper()
	db, err := sqlite.Create(t.Context(), filepath.Join(t.TempDir(), "ho.db"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ca.Create(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	news, log := console.NewNews(), slog.New(slog.DiscardHandler)
	blobs := evidence.NewFolder(filepath.Join(t.TempDir(), "evidence"), nil)
	pages, err := console.New(db, blobs, news, log)
	if err != nil {
		t.Fatal(err)
	}
	news.Close() // live pages end after their first look
	writer := ingest.NewWriter(db, news.Tell)
	t.Cleanup(func() {
		_ = writer.Close()
		_ = db.Close()
	})
	return &Server{
		Store: db, Authority: authority, Evidence: blobs, Console: pages, Log: log, Now: time.Now, Changed: news.Tell,
		Enrolment: &enrol.Service{Store: db, Authority: authority, StateKey: make([]byte, 32), AutoApprove: true, Now: time.Now},
		Ingest:    &ingest.Service{Writer: writer, Incarnation: db.Incarnation(), MaxBatch: 10, Now: time.Now},
	}
}

// caller makes requests as one role.
type caller struct {
	cookie, csrf string
	cert         *x509.Certificate
}

func (s *Server) asPerson(t *testing.T, role access.Role) caller {
	t.Helper()
	secret := string(role) + "-secret"
	link := store.Link{Hash: "link-" + string(role), Role: string(role), Person: "li", Expires: time.Now().Add(time.Hour)}
	if err := s.Store.AddLink(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	session := store.Session{Hash: access.Hash(secret), CSRF: "csrf-" + string(role), Expires: time.Now().Add(time.Hour)}
	if _, err := s.Store.UseLink(t.Context(), link.Hash, session); err != nil {
		t.Fatal(err)
	}
	return caller{cookie: secret, csrf: session.CSRF}
}

func (s *Server) asDevice(t *testing.T, id string, life time.Duration) caller {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, err := s.Authority.SignDevice(id, key.Public(), time.Now().Add(life-ca.DeviceLife))
	if err != nil {
		t.Fatal(err)
	}
	hash := "token-of-" + id
	if err := s.Store.AddTokens(t.Context(), []store.Token{{Hash: hash, Expires: time.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Claim(t.Context(), hash, store.Device{ID: id, State: store.DeviceApproved, Key: id, Enrolled: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.Certify(t.Context(), id, store.Certificate{Fingerprint: ca.Fingerprint(cert), Expires: cert.NotAfter}); err != nil {
		t.Fatal(err)
	}
	return caller{cert: cert}
}

func (c caller) send(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	path = strings.NewReplacer("{$}", "", "{digest}", "sha256:"+strings.Repeat("0", 64), "{file}", "ui.css", "{device}", "dev_x", "{run}", "run_x").Replace(path)
	form := ""
	if c.csrf != "" && method == "POST" {
		form = url.Values{"csrf": {c.csrf}}.Encode()
	}
	r := httptest.NewRequest(method, "https://ho.test"+path, strings.NewReader(form))
	r.TLS = &tls.ConnectionState{}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: SessionCookie, Value: c.cookie})
	}
	if c.cert != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{c.cert}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// Every route decides about every role: who is not named is refused.
func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handler := s.Handler()
	callers := map[access.Role]func() caller{
		access.Anyone: func() caller { return caller{} },
		access.Device: func() caller { return s.asDevice(t, "dev_table", time.Hour) },
	}
	for _, role := range access.Persons() {
		callers[role] = func() caller { return s.asPerson(t, role) }
	}
	for role, as := range callers {
		who := as()
		for _, route := range s.Routes() {
			if route.Path == "/leave" {
				continue // ends the session: below
			}
			if len(route.Allow) == 0 {
				t.Errorf("%s %s is open to nobody: say who may", route.Method, route.Path)
			}
			got := who.send(handler, route.Method, route.Path).Code
			refused := got == http.StatusUnauthorized || got == http.StatusForbidden && route.Path != "/enter"
			if (route.Path == "/v1/ingest" || route.Path == "/v1/keys") && role == access.Device {
				refused = false // an empty request is not that of its certificate
			}
			if refused == route.Allows(role) {
				t.Errorf("%s %s as %s: %d, allowed to %v", route.Method, route.Path, role, got, route.Allow)
			}
		}
	}
}

func TestRolesAreKnown(t *testing.T) {
	t.Parallel()
	for _, route := range newServer(t).Routes() {
		for _, role := range route.Allow {
			if !slices.Contains(access.All(), role) {
				t.Errorf("%s %s names the unknown role %q", route.Method, route.Path, role)
			}
		}
		if route.Method == "GET" && strings.Contains(route.Path, "/v1/") == route.Page {
			t.Errorf("%s %s: pages and API are mixed", route.Method, route.Path)
		}
	}
}

func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handler, admin := s.Handler(), s.asPerson(t, access.Admin)
	for _, c := range []struct {
		name, csrf, site string
		want             int
	}{
		{"right", admin.csrf, "same-origin", http.StatusNotFound}, // there is no such device
		{"no token", "", "same-origin", http.StatusForbidden},
		{"wrong token", "other", "same-origin", http.StatusForbidden},
		{"other site", admin.csrf, "cross-site", http.StatusForbidden},
	} {
		r := httptest.NewRequest("POST", "https://ho.test/devices/dev_x/revoke", strings.NewReader(url.Values{"csrf": {c.csrf}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", c.site)
		r.AddCookie(&http.Cookie{Name: SessionCookie, Value: admin.cookie})
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handler, viewer := s.Handler(), s.asPerson(t, access.Viewer)
	if got := viewer.send(handler, "POST", "/leave").Code; got != http.StatusOK {
		t.Fatalf("leave: %d", got)
	}
	if got := viewer.send(handler, "GET", "/runs").Code; got != http.StatusUnauthorized {
		t.Errorf("after leaving: %d, want 401", got)
	}
	if got := s.asPerson(t, access.Risk).send(handler, "GET", "/runs").Code; got != http.StatusOK {
		t.Errorf("another session: %d, want 200", got)
	}
	s.Now = func() time.Time { return time.Now().Add(SessionLife) }
	if got := (caller{cookie: string(access.Risk) + "-secret"}).send(handler, "GET", "/runs").Code; got != http.StatusUnauthorized {
		t.Errorf("after its time: %d, want 401", got)
	}
}

func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := s.asDevice(t, "dev_old", -time.Minute).send(s.Handler(), "POST", "/v1/ingest")
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "certificate_expired") {
		t.Errorf("%d %s, want certificate_expired", w.Code, w.Body)
	}
}

func TestNowhere(t *testing.T) {
	t.Parallel()
	handler := newServer(t).Handler()
	for path, kind := range map[string]string{"/v1/none": "application/json", "/none": "text/html; charset=utf-8", "/assets/../v1/none": "text/html; charset=utf-8"} {
		w := caller{}.send(handler, "GET", path)
		if w.Code/100 == 2 || path != "/assets/../v1/none" && (w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header())
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}

func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var logged strings.Builder
	s.Log = slog.New(slog.NewTextHandler(&logged, nil))
	w := httptest.NewRecorder()
	s.fail(w, httptest.NewRequest("GET", "/", nil), io.ErrUnexpectedEOF)
	if w.Code != http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "EOF") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(logged.String(), "EOF") {
		t.Errorf("the log does not have it: %s", logged.String())
	}
}

// Package api is head office's one HTTPS surface: devices by client certificate,
// persons by session. Server.Routes is the table; Handler serves exactly it.
package api

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/ca"
	"branchbot/headoffice/console"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/evidence"
	"branchbot/headoffice/ingest"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/ui"
)

// Server joins the parts behind the route table.
type Server struct {
	Store     store.Store
	Authority *ca.Authority
	Enrolment *enrol.Service
	Ingest    *ingest.Service
	Evidence  *evidence.Folder
	Console   *console.Console
	Log       *slog.Logger
	Now       func() time.Time
	Changed   func() // tells the console that there is something new
}

// Handler serves the route table.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.Routes() {
		mux.Handle(route.Method+" "+route.Path, s.guard(route))
	}
	mux.HandleFunc("/", s.nowhere)
	return ui.Secure(mux)
}

// nowhere answers what is not in the table.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	err := fault.New(fault.Usage, "page_unknown", "there is nothing at %s %s", r.Method, r.URL.Path).
		WithHint("Begin at the address of the console: /")
	s.refuse(w, r, access.Route{Page: !strings.HasPrefix(r.URL.Path, "/v1/")}, err)
}

// guard lets a request through to its handler when its caller may call it.
func (s *Server) guard(route access.Route) http.Handler {
	handle := http.Handler(route.Handle)
	if route.Page && route.Method != http.MethodGet {
		handle = s.forgeryGuard(handle)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.caller(r, route)
		if err != nil {
			s.refuse(w, r, route, err)
			return
		}
		handle.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), caller)))
	})
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, route access.Route, err error) {
	if !route.Page {
		s.fail(w, r, err)
		return
	}
	e := s.present(r.Context(), err)
	s.Console.Problem(w, r, status(e), e)
}

// TLS is the configuration of the listener. A client certificate is optional,
// because browsers and new devices have none; one that is shown must be ours.
func (s *Server) TLS(server *ca.ServerCertificate) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: server.Get,
		ClientAuth:     tls.RequestClientCert,
		ClientCAs:      s.Authority.Pool(),
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 {
				return nil
			}
			cert, err := x509.ParseCertificate(raw[0])
			if err != nil {
				return err
			}
			return s.Authority.VerifyDevice(cert)
		},
	}
}

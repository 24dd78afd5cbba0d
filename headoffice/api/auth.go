package api

import (
	"net/http"
	"slices"

	"branchbot/headoffice/access"
	"branchbot/headoffice/ca"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
)

// SessionCookie names the console's cookie. The prefix makes browsers insist on
// Secure, Path=/ and no Domain.
const SessionCookie = "__Host-session"

// caller finds out who sent a request, by the means the route is for: a device
// by its certificate, a person by the session. Codes: certificate_missing,
// certificate_expired, device_unknown, device_halted, session_unknown, role_denied.
func (s *Server) caller(r *http.Request, route access.Route) (access.Caller, error) {
	if slices.Contains(route.Allow, access.Device) {
		return s.device(r)
	}
	person, err := s.person(r)
	if slices.Contains(route.Allow, access.Anyone) {
		return person, nil // a page may still greet who is signed in
	}
	if err != nil {
		return access.Caller{}, err
	}
	if !route.Allows(person.Role) {
		return access.Caller{}, fault.New(fault.Refused, "role_denied", "the role %s may not do this", person.Role).
			WithHint("Ask somebody with one of the roles: %v.", route.Allow)
	}
	return person, nil
}

// device trusts the row of head office, not the certificate alone: the row is
// what revoking deletes. The handshake has verified chain and possession.
func (s *Server) device(r *http.Request) (access.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return access.Caller{}, fault.New(fault.Refused, "certificate_missing", "this address is for enrolled devices").
			WithHint("Enrol the device: it then sends its client certificate.")
	}
	cert := r.TLS.PeerCertificates[0]
	id, fingerprint := cert.Subject.CommonName, ca.Fingerprint(cert)
	device, err := s.Store.Device(r.Context(), id)
	switch {
	case err != nil:
		return access.Caller{}, err
	case device.Certificate.Fingerprint != fingerprint:
		return access.Caller{}, store.DeviceUnknown(id)
	case s.Now().After(cert.NotAfter):
		return access.Caller{}, fault.New(fault.Refused, "certificate_expired", "the certificate of %s has expired", id).
			WithHint("Enrol the device again.")
	case device.State == store.DeviceHalted:
		return access.Caller{}, store.Halted(id, device.HaltReason)
	}
	return access.Caller{Role: access.Device, Device: id, Fingerprint: fingerprint}, nil
}

func (s *Server) person(r *http.Request) (access.Caller, error) {
	cookie, err := r.Cookie(SessionCookie)
	if err != nil {
		return access.Caller{Role: access.Anyone}, store.SessionUnknown()
	}
	session, err := s.Store.Session(r.Context(), access.Hash(cookie.Value), s.Now())
	if err != nil {
		return access.Caller{Role: access.Anyone}, err
	}
	return access.Caller{Role: access.Role(session.Role), Session: session}, nil
}

package api

import (
	"crypto/subtle"
	"net/http"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
)

// SessionLife is how long a console session lasts.
const SessionLife = 12 * time.Hour

// enter turns a one-time link into a session. It answers with a page that goes
// on by itself instead of a redirect: a strict cookie is not sent along a
// redirect that began at another site (a link in a mail).
func (s *Server) enter(w http.ResponseWriter, r *http.Request) {
	secret := access.NewSecret()
	_, err := s.Store.UseLink(r.Context(), access.Hash(r.URL.Query().Get("token")), store.Session{
		Hash: access.Hash(secret), CSRF: access.NewSecret(), Expires: s.Now().Add(SessionLife),
	})
	if err != nil {
		e := s.present(r.Context(), err)
		s.Console.Problem(w, r, status(e), e)
		return
	}
	http.SetCookie(w, cookie(secret, int(SessionLife.Seconds())))
	w.Header().Set("Refresh", "0; url=/")
	s.Console.Entered(w, r)
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	if err := s.Store.EndSession(r.Context(), access.From(r.Context()).Session.Hash); err != nil {
		e := s.present(r.Context(), err)
		s.Console.Problem(w, r, status(e), e)
		return
	}
	http.SetCookie(w, cookie("", -1))
	s.Console.Left(w, r)
}

func cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: SessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	}
}

const maxForm = 64 << 10

// forgeryGuard lets a form through only from a page of ours: the browser says
// so, and the form carries the session's token. Code: csrf_failed.
func (s *Server) forgeryGuard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		wanted := access.From(r.Context()).Session.CSRF
		given := r.FormValue("csrf")
		if origins.Check(r) != nil || wanted == "" || subtle.ConstantTimeCompare([]byte(wanted), []byte(given)) != 1 {
			e := fault.New(fault.Refused, "csrf_failed", "this form did not come from a page of this session").
				WithHint("Open the page again and repeat what you did.")
			s.Console.Problem(w, r, status(e), e)
			return
		}
		next.ServeHTTP(w, r)
	})
}

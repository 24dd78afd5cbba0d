package bank

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
)

const (
	sessionCookie = "core_session"
	loginCookie   = "core_login" // ties a login form to the browser that got it
)

type csrfKey struct{}

// csrfOf returns the token of the signed-in session of r.
func csrfOf(r *http.Request) string {
	token, _ := r.Context().Value(csrfKey{}).(string)
	return token
}

// signedIn sends everybody without a session to the login page, also a POST.
func (s *Site) signedIn(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		csrf, ok := s.session(r)
		if !ok {
			to := "/login"
			if r.Method == http.MethodGet {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), csrfKey{}, csrf)))
	})
}

func (s *Site) session(r *http.Request) (string, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	csrf, ok := s.sessions[cookie.Value]
	return csrf, ok
}

// ExpireSessions signs everybody out.
func (s *Site) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = map[string]string{}
}

func (s *Site) showLogin(w http.ResponseWriter, r *http.Request) {
	s.loginPage(w, r, r.URL.Query().Get("next"), "")
}

func (s *Site) loginPage(w http.ResponseWriter, r *http.Request, next, problem string) {
	token := rand.Text()
	setCookie(w, r, loginCookie, token)
	s.render(w, http.StatusOK, "login.html", map[string]string{"Next": next, "CSRF": token, "Problem": problem})
}

func (s *Site) login(w http.ResponseWriter, r *http.Request) {
	next := r.PostFormValue("next")
	cookie, err := r.Cookie(loginCookie)
	if err != nil || cookie.Value != r.PostFormValue("csrf") {
		s.loginPage(w, r, next, "登录页面已失效，请重新登录")
		return
	}
	if r.PostFormValue("username") != s.options.User || r.PostFormValue("password") != s.options.Password {
		s.loginPage(w, r, next, "用户名或密码不正确")
		return
	}
	id := rand.Text()
	s.mu.Lock()
	s.sessions[id] = rand.Text()
	s.mu.Unlock()
	setCookie(w, r, sessionCookie, id)
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		next = "/accounts/new"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
}

// authorized lets callers of the interface for programs in by name and password.
func (s *Site) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != s.options.User || password != s.options.Password {
			w.Header().Set("WWW-Authenticate", `Basic realm="core"`)
			answer(w, reply{Status: http.StatusUnauthorized, Code: codeBadToken, Msg: "身份验证失败"})
			return
		}
		next(w, r)
	})
}

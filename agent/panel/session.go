package panel

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"branchbot/internal/wire"
)

const (
	sessionCookie = "panel_session"
	personCookie  = "panel_person"
	sessionLife   = 12 * time.Hour // a working day
	maxPerson     = 40             // characters
)

// sealer signs what the browser keeps for us, so that the panel itself keeps
// nothing and a session outlives a restart of the agent.
type sealer struct{ key []byte }

func newSealer(token string) sealer {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("branchbot panel"))
	return sealer{key: mac.Sum(nil)}
}

func (s sealer) mac(purpose, text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s sealer) sign(purpose, text string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + s.mac(purpose, text)
}

func (s sealer) open(purpose, signed string) (string, bool) {
	encoded, mac, _ := strings.Cut(signed, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !equal(mac, s.mac(purpose, string(text))) {
		return "", false
	}
	return string(text), true
}

// equal compares secrets in constant time.
func equal(a, b string) bool {
	left, right := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(left[:], right[:]) == 1
}

// enter opens a session for whoever has the panel's token.
func (p *Panel) enter(w http.ResponseWriter, r *http.Request, _ *visit) error {
	if p.o.Token == "" || !equal(r.URL.Query().Get("token"), p.o.Token) {
		return errNoSession
	}
	value := p.seal.sign("session", strconv.FormatInt(p.o.Now().Unix(), 10)+" "+rand.Text())
	setCookie(w, sessionCookie, value, sessionLife)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// sessionOf returns the session cookie if it is ours and not too old.
func (p *Panel) sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	text, ok := p.seal.open("session", cookie.Value)
	issued, _, _ := strings.Cut(text, " ")
	seconds, err := strconv.ParseInt(issued, 10, 64)
	if !ok || err != nil || p.o.Now().Sub(time.Unix(seconds, 0)) > sessionLife {
		return ""
	}
	return cookie.Value
}

// csrf is the token that this session's forms carry.
func (p *Panel) csrf(v *visit) string { return p.seal.mac("csrf", v.session) }

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: int(life.Seconds()),
	})
}

// person reads the name on the page and remembers it for the next form.
func person(w http.ResponseWriter, r *http.Request, v *visit) (wire.By, bool) {
	name, ok := cleanName(r.PostFormValue("person"))
	if ok {
		v.person = name
		setCookie(w, personCookie, base64.RawURLEncoding.EncodeToString([]byte(name)), sessionLife)
	}
	return wire.By{Person: name, Kind: wire.ByUnverified}, ok
}

func personOf(r *http.Request) string {
	cookie, err := r.Cookie(personCookie)
	if err != nil {
		return ""
	}
	decoded, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return ""
	}
	name, _ := cleanName(string(decoded))
	return name
}

func cleanName(text string) (string, bool) {
	name := strings.Join(strings.Fields(text), " ")
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxPerson || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	return name, true
}

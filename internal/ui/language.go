package ui

import (
	"net/http"
	"strings"
	"time"
)

const languageCookie = "lang"

// Language picks the language of a request: ?lang=, which is remembered in a
// cookie, else the cookie, else Accept-Language, else the default.
func Language(w http.ResponseWriter, r *http.Request) string {
	if lang := known(r.URL.Query().Get("lang")); lang != "" {
		http.SetCookie(w, &http.Cookie{
			Name: languageCookie, Value: lang, Path: "/", HttpOnly: true,
			SameSite: http.SameSiteLaxMode, MaxAge: int((365 * 24 * time.Hour).Seconds()),
		})
		return lang
	}
	if cookie, err := r.Cookie(languageCookie); err == nil {
		if lang := known(cookie.Value); lang != "" {
			return lang
		}
	}
	return accepted(r.Header.Get("Accept-Language"))
}

// known returns the catalogue tag for a wanted tag: zh, zh-TW and zh-CN are zh-CN.
func known(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	for _, lang := range Languages() {
		if offered, _, _ := strings.Cut(lang, "-"); offered == primary {
			return lang
		}
	}
	return ""
}

// accepted takes the first language of the header that we have. Browsers list
// them in order of preference, so the weights need not be read.
func accepted(header string) string {
	for entry := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(entry, ";")
		if lang := known(tag); lang != "" {
			return lang
		}
	}
	return defaultLanguage
}

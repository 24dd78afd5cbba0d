package panel

import (
	"net"
	"net/http"
)

// onlyHere refuses every request that did not come over the loopback address
// under a loopback name: a page elsewhere whose name was pointed at this machine
// (DNS rebinding) carries its own name in Host.
func onlyHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isHere(r) {
			http.Error(w, "this page is only for the machine it runs on", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isHere(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	address, port, err := net.SplitHostPort(local.String())
	if ip := net.ParseIP(address); err != nil || ip == nil || !ip.IsLoopback() {
		return false
	}
	name, asked, err := net.SplitHostPort(r.Host)
	if err != nil || asked != port {
		return false
	}
	return name == "127.0.0.1" || name == "localhost" || name == "::1"
}

// sameOrigin reports whether a request that changes something was made by a
// page of this panel. A browser always says so in one of two headers; who says
// nothing is refused.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin == "http://"+r.Host
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

package guard

import (
	"net/http"
	"slices"
	"time"
)

// Codes of refused requests, shown on the page and kept in Refusals.
const (
	codeOrigin     = "origin_not_allowed" // not a site of this pack
	codeHost       = "host_mismatch"      // Host or TLS name differs from CONNECT
	codeNotListed  = "write_not_listed"   // could change something and is not in the manifest
	codePremature  = "premature"          // a submit without an open intent
	codeAmbiguous  = "ambiguous_submit"   // two submits of the manifest match
	codeUnreadable = "unreadable_request" // a rule looks into the body and it cannot be read
	codeRepeated   = "second_request"     // differs from the one request of this intent
	codeSocket     = "websocket_not_listed"
	codeSocketSend = "websocket_send"
	codeMismatch   = "submit_mismatch"
	codeRedirect   = "redirect_not_listed" // 307 or 308 outside legs
	codeNothing    = "nothing_sent"
	codeCert       = "site_certificate"
	codeDown       = "site_unreachable"
	codeNoReply    = "no_reply"
	codeOver       = "run_over"
	codeJournal    = "not_recorded"
	codeLookFirst  = "look_first" // nothing may be sent before it has been looked up
)

// Refusal is a request that was not let out.
type Refusal struct {
	Method string
	URL    string // without query: that may carry customer data
	Code   string
	At     time.Time
}

const keptRefusals = 1000

func (g *gate) note(r *http.Request, code string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.refusals) == keptRefusals {
		g.refusals = slices.Delete(g.refusals, 0, 1)
	}
	where := r.Host // CONNECT
	if r.Method != http.MethodConnect {
		bare := *r.URL
		bare.RawQuery, bare.User, bare.Fragment = "", nil, ""
		where = bare.String()
	}
	g.refusals = append(g.refusals, Refusal{Method: r.Method, URL: where, Code: code, At: time.Now().UTC()})
}

func (g *gate) list() []Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.refusals)
}

// Package http is the script's road to sites without a browser. It goes through
// the run's guard like everything else and never starts a browser.
//
//	http.get(address, query = {}, headers = {}, login = None) → reply
//	http.head(address, …) → reply
//	    address is "site:/path" with a site of capabilities.http. Journaled.
//	    Redirects are followed to sites of capabilities.http only. At most 1 MiB
//	    of text, 60 s in all.
//	http.post(address, json = None, form = None, query = {}, headers = {}, login = None) → reply
//	    a search that the site wants as POST: only what harmless lists. Journaled.
//
//	reply.status · reply.text · reply.headers (some, names in lower case) · reply.json()
//	    Errors: capability_denied, site_unbound, site_unreachable, site_slow,
//	    site_certificate, site_error (5xx), reply_too_large, reply_unreadable,
//	    write_not_listed, login_unknown, login_failed (401), header_denied, address.
//
//	http.submit(name = None, key = […], values = {label: value}, probe = None, login = None, path = None) → receipt
//	    The step's one submit, as form.submit: see package guard. The request is
//	    made of the rule in submits: each label goes to its place, written by its
//	    codes or format, the constants beside it, as JSON or as a form (encoding).
//	    None leaves a label out. path is for a rule whose path ends in "*".
//	    Errors: value_unknown, value_unwritten, payload_shape, and those of form.submit.
//
// login names a login of the manifest that has authorization (basic or bearer).
// Its secret becomes the Authorization header of requests to the secret's own
// origin, and is nowhere else.
package http

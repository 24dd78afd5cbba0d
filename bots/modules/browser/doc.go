// Package browser is the script's browser module: pages of the pack's sites in
// a Chromium of the run's own, forms filled by what a person sees, and the one
// guarded submit of a step.
//
//	browser.open(address, login = None) → page
//	    address is "site:/path" with a site of capabilities.sites; an unsigned
//	    pack may also write a whole URL. Inside a step only. With login the
//	    function named in the manifest's logins is called first, once per run:
//	    login_core(page, secret), with the page that the site showed instead.
//	    Errors: page_outside_step, capability_denied, site_unbound, url_denied,
//	    login_unknown, login_failed, signed_out, site_unreachable, site_slow,
//	    site_certificate, site_error, site_maintenance, page_missing, page_blocked,
//	    no_page, redirect_loop, browser_missing, browser_start, browser_died,
//	    browser_frozen, page_frozen, tab_crashed.
//
//	page.url · page.goto(path) · page.wait(text = None, selector = None, timeout = 15)
//	page.click(text, timeout = 15): the one button or link called text
//	page.text(selector = None, timeout = 15) → what a person reads there
//	page.table(selector = None, timeout = 15) → list of dicts by header
//	page.count(selector) → how many match now, 0 too
//	    Errors: not_found (hint: what is there), ambiguous, covered, selector,
//	    page_changed, popup_unexpected, dialog_unexpected, signed_out.
//
//	page.form(title = None) → form: by name, heading or CSS selector
//	page.fill({…}): page.form().fill({…})
//	form.fill({label: value}) → {"form": …, "fields": {label: {"by", "widget", "refilled"}}}
//	    A label is what a person sees, else aria name, text before the field,
//	    placeholder, name or id. Values: text, number, True or False, a list, or
//	    a part of a secret in a login. None leaves the field alone.
//	    Errors: field_not_found, ambiguous, fill_value, fill_mismatch, field_locked,
//	    choice_not_offered, secret_origin, secret_field.
//
//	form.submit(name = None, key = […], probe = None, button = None) → receipt
//	    The step's one submit: see package guard. probe(key) returns a dict (the
//	    receipt), None (provably absent) or unsure().
//	unsure(reason = "") says that a probe cannot see. Error: unsure.
//
// The browser and the run's proxy start at the first open and end with the run.
// Between two attempts of a step Repair decides what is new: the pages, the
// session, or the browser. A browser or page that is silent is found by
// heartbeat. The browser runs under a keeper (see Keep), which ends all that
// came of it together with the runner, however that ends.
//
// What the page does is trusted input through the DevTools pipe; what is read is
// read by our own script in an isolated world.
package browser

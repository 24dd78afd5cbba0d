// Package panel is the page for branch staff at http://127.0.0.1:7700: bots as
// cards, a form made from a bot's inputs, a run's progress as it happens, its
// result, and the decision when a submission is in doubt.
//
// It is reachable from this machine only: the Host header must be a loopback
// name, every POST must come from the panel's own pages (Origin,
// Sec-Fetch-Site, CSRF token), and everything but the entry needs the session
// that the panel's token opens. All data comes from a Backend.
package panel

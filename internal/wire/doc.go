// Package wire holds the messages that cross a process border: what the runner
// asks the agent, what the device sends to head office, and the JSON that the
// command lines print. Nothing here acts; both sides of every border import it.
//
// Rules: snake_case names, UTC RFC 3339 times, prefixed ids (run_, dev_, pck_).
// A field once shipped keeps its name and meaning; golden files hold the formats.
package wire

// Package runner is the child process of one run and the pipe between it and
// the agent. The child evaluates the script and drives the browser under limits
// of the operating system; it owns nothing that must survive. What is durable,
// secret or shared it asks of the agent over its standard input and output.
//
//	agent ── Start ─────────▶ runner
//	      ◀─ call / ─ reply ▶        host.Host, method by method
//	      ◀─ event ──────────        progress, may be lost
//	      ── cancel ────────▶
//	      ◀─ finish ─────────        host.Finish, once, last
//
// If the pipe ends, the runner ends; if the runner ends without finish, the
// agent writes down that it died.
package runner

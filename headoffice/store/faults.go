package store

import "branchbot/internal/fault"

// DeviceUnknown is for a device that is not enrolled here (or was revoked).
func DeviceUnknown(id string) error {
	return fault.New(fault.Refused, "device_unknown", "device %q is not enrolled here", id).
		WithHint("Enrol it again with a new token.")
}

// Halted is for a device of whose records two versions were seen.
func Halted(id, reason string) error {
	return fault.New(fault.Refused, "device_halted", "device %q is halted: %s", id, reason).
		WithHint("Find out which machine is the right one and stop the other. Then: headoffice device token --again %s, and on the right machine: branchbot enroll", id).
		WithFact("device", id).WithFact("reason", reason)
}

// TokenUnknown is for an enrolment token that was never made here.
func TokenUnknown() error {
	return fault.New(fault.Refused, "token_unknown", "this enrolment token is not known here").
		WithHint("Make a new one with: headoffice device token")
}

// TokenUsed is for a token that another device has used.
func TokenUsed() error {
	return fault.New(fault.Refused, "token_used", "this enrolment token has been used").
		WithHint("Make a new one with: headoffice device token")
}

// TokenExpired is for a token that was not used in time.
func TokenExpired() error {
	return fault.New(fault.Refused, "token_expired", "this enrolment token has expired").
		WithHint("Make a new one with: headoffice device token --valid 24h")
}

// NotWaiting is for an approval of a device that needs none.
func NotWaiting(id, state string) error {
	return fault.New(fault.Usage, "device_not_waiting", "device %q does not wait for approval: it is %s", id, state).
		WithHint("See: headoffice device list")
}

// RunUnknown is for a run that head office has not received.
func RunUnknown(run string) error {
	return fault.New(fault.Usage, "run_unknown", "run %q is not known here", run).
		WithHint("See: headoffice runs")
}

// KeyUnknown is for a key that was not made yet.
func KeyUnknown(name string) error {
	return fault.New(fault.Application, "key_unknown", "head office has no key %q yet", name).
		WithHint("Start head office once: headoffice serve")
}

// LinkInvalid is for a console link that was used, has expired or never was.
func LinkInvalid() error {
	return fault.New(fault.Refused, "link_invalid", "this console link was used, has expired or was never made").
		WithHint("Make a new one with: headoffice console-link")
}

// SessionUnknown is for a browser that is not signed in.
func SessionUnknown() error {
	return fault.New(fault.Refused, "session_unknown", "you are not signed in").
		WithHint("Make a console link with: headoffice console-link")
}

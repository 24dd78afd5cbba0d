// Package access says who calls: the roles, what is known of a caller, and the
// shape of a route, which always names the roles it is open to.
package access

import (
	"context"
	"net/http"
	"slices"

	"branchbot/headoffice/store"
)

// Role is what a caller may be.
type Role string

// The roles. Persons have the first seven; a device is known by its client
// certificate; Anyone is open.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Reviewer Role = "reviewer"
	Owner    Role = "owner"
	Risk     Role = "risk"
	Admin    Role = "admin"
	Auditor  Role = "auditor"
	Device   Role = "device"
	Anyone   Role = "anyone"
)

// Persons lists the roles that a person may have.
func Persons() []Role {
	return []Role{Viewer, Operator, Reviewer, Owner, Risk, Admin, Auditor}
}

// Customers lists the roles that see customers' documents and numbers in full.
// Those who run machines do not need them.
func Customers() []Role { return []Role{Reviewer, Risk, Auditor} }

// All lists every role.
func All() []Role { return append(Persons(), Device, Anyone) }

// Route is one row of the route table.
type Route struct {
	Method, Path string
	Allow        []Role // never empty
	Page         bool   // errors are pages for persons, not JSON
	Handle       http.HandlerFunc
}

// Allows reports whether a role may call the route.
func (r Route) Allows(role Role) bool {
	return slices.Contains(r.Allow, Anyone) || slices.Contains(r.Allow, role)
}

// Caller is who sent a request.
type Caller struct {
	Role        Role
	Device      string        // of a device
	Fingerprint string        // of a device's certificate
	Session     store.Session // of a person
}

// Actor names the caller for the audit trail.
func (c Caller) Actor() store.Actor {
	if c.Role == Device {
		return store.Actor{Person: c.Device, Kind: "device"}
	}
	return store.Actor{Person: c.Session.Person, Kind: "unverified"}
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// From returns the caller of a request; a stranger is Anyone.
func From(ctx context.Context) Caller {
	if caller, ok := ctx.Value(callerKey{}).(Caller); ok {
		return caller
	}
	return Caller{Role: Anyone}
}

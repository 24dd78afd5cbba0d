package headoffice

import (
	"context"
	"net/url"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/store"
)

// LinkLife is how long a console link waits to be used.
const LinkLife = time.Hour

// NewLink makes a one-time way into the console at base (https://host:port).
func NewLink(ctx context.Context, s store.Store, base string, role access.Role, person string) (string, error) {
	secret := access.NewSecret()
	err := s.AddLink(ctx, store.Link{
		Hash: access.Hash(secret), Role: string(role), Person: person, Expires: time.Now().Add(LinkLife),
	})
	if err != nil {
		return "", err
	}
	return base + "/enter?" + url.Values{"token": {secret}}.Encode(), nil
}

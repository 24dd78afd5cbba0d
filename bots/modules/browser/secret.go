package browser

import (
	"context"
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

// secret is the handle a login function gets. Its attributes are parts; neither
// ever shows its text to a script.
type secret struct{ name string }

var _ starlark.HasAttrs = secret{}

func (s secret) String() string        { return fmt.Sprintf("secret(%s)", s.name) }
func (s secret) Type() string          { return "secret" }
func (s secret) Freeze()               {}
func (s secret) Truth() starlark.Bool  { return true }
func (s secret) Hash() (uint32, error) { return starlark.String(s.String()).Hash() }
func (s secret) AttrNames() []string   { return nil }

// Attr names a part; whether it exists is seen when it is filled in.
func (s secret) Attr(part string) (starlark.Value, error) { return secretPart{s.name, part}, nil }

// secretPart is one part of a secret, say core.password.
type secretPart struct{ name, part string }

func (s secretPart) String() string        { return fmt.Sprintf("secret(%s.%s)", s.name, s.part) }
func (s secretPart) Type() string          { return "secret" }
func (s secretPart) Freeze()               {}
func (s secretPart) Truth() starlark.Bool  { return true }
func (s secretPart) Hash() (uint32, error) { return starlark.String(s.String()).Hash() }

// resolve returns the text behind a part for a page of the given origin. Only
// fill calls it. Codes: secret_origin, secret_unknown, secret_part_unknown.
func (m *module) resolve(ctx context.Context, s secretPart, origin string) (string, error) {
	if !slices.Contains(m.rt.Pack().Manifest.Capabilities.Secrets, s.name) {
		return "", fault.New(fault.Refused, "capability_denied", "the pack may not use the secret %s", s.name).
			WithHint("name it under capabilities.secrets in pack.yaml")
	}
	stored, err := m.rt.Host().Secret(ctx, s.name)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", s.name, err)
	}
	if bound, err := originOf(stored.Origin); err != nil || bound != origin {
		return "", fault.New(fault.Refused, "secret_origin", "the secret %s belongs to %s, the page is at %s", s.name, stored.Origin, origin).
			WithHint("a secret is only filled into pages of the site it was stored for")
	}
	text, ok := stored.Values[s.part]
	if !ok {
		return "", fault.New(fault.Usage, "secret_part_unknown", "the secret %s has no part %s", s.name, s.part).
			WithHint("store it again with branchbot secret set, as JSON with this part")
	}
	m.shown[text] = stored.Origin
	return text, nil
}

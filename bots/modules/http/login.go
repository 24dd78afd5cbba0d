package http

import (
	"context"
	"encoding/base64"
	"fmt"

	"branchbot/bots/guard"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// authorization is the header that a login of the manifest gives, "" for none.
// Codes: login_unknown, capability_denied, secret_unknown, secret_origin,
// secret_part_unknown.
func (m *module) authorization(ctx context.Context, name string, to address) (string, error) {
	if name == "" {
		return "", nil
	}
	manifest := m.rt.Pack().Manifest
	login, ok := manifest.Logins[name]
	if !ok || login.Authorization == "" || login.Site != to.site {
		return "", fault.New(fault.Usage, "login_unknown", "the manifest has no login %s with authorization for the site %s", name, to.site).
			WithHint("logins: {%s: {site: %s, secret: …, authorization: basic}}", name, to.site)
	}
	if err := manifest.Capabilities.Require(pack.Secrets, login.Secret); err != nil {
		return "", err
	}
	stored, err := m.rt.Host().Secret(ctx, login.Secret)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", login.Secret, err)
	}
	if !guard.SameOrigin(stored.Origin, to.url.Scheme+"://"+to.url.Host) {
		return "", fault.New(fault.Refused, "secret_origin", "the secret %s belongs to %s, the request goes to %s", login.Secret, stored.Origin, to.url.Host).
			WithHint("a secret is only sent to the site it was stored for")
	}
	return header(login, stored.Values)
}

func header(login pack.Login, values map[string]string) (string, error) {
	part := func(name string) (string, error) {
		if text, ok := values[name]; ok {
			return text, nil
		}
		return "", fault.New(fault.Usage, "secret_part_unknown", "the secret %s has no part %s", login.Secret, name).
			WithHint("store it again with branchbot secret set, as JSON with this part")
	}
	if login.Authorization == "bearer" {
		if token, ok := values["value"]; ok {
			return "Bearer " + token, nil
		}
		token, err := part("token")
		return "Bearer " + token, err
	}
	user, err := part("username")
	if err != nil {
		return "", err
	}
	password, err := part("password")
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), err
}

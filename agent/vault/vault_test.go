package vault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/store"
	"branchbot/agent/vault"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

const canary = "canary-password-4711"

func inTx(t *testing.T, fn func(tx *store.Tx) error) error {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Update(t.Context(), fn)
}

func secret(name string) vault.Secret {
	return vault.Secret{
		Name: name, Site: "core", Values: vault.Values{"user": "t01", "password": canary},
		By: wire.By{Person: "wang.wei", Kind: wire.ByUnverified},
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	err := inTx(t, func(tx *store.Tx) error {
		for _, name := range []string{"mail", "core"} {
			if err := vault.PutSecret(tx, secret(name)); err != nil {
				return err
			}
		}
		got, err := vault.GetSecret(tx, "core")
		if err != nil || got.Values["password"] != canary || got.Set.IsZero() {
			t.Errorf("read %s: %v, set %v", got.Name, err, got.Set)
		}
		listed, err := vault.ListSecrets(tx)
		if err != nil || len(listed) != 2 || listed[0].Name != "core" || listed[1].Site != "core" {
			t.Errorf("listed %+v, %v", listed, err)
		}
		if text, err := json.Marshal(listed); err != nil || bytes.Contains(text, []byte(canary)) {
			t.Errorf("the list shows a value: %s, %v", text, err)
		}
		if err := vault.DeleteSecret(tx, "core"); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, err := vault.GetSecret(tx, "core"); !fault.HasCode(err, "secret_unknown") {
			t.Errorf("after delete: %v", err)
		}
		if err := vault.DeleteSecret(tx, "core"); !fault.HasCode(err, "secret_unknown") {
			t.Errorf("delete twice: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecretsAreChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(s *vault.Secret)
		code   string
	}{
		{"no name", func(s *vault.Secret) { s.Name = "" }, "bad_name"},
		{"a path as name", func(s *vault.Secret) { s.Name = "../core" }, "bad_name"},
		{"a line feed in the name", func(s *vault.Secret) { s.Name = "core\n" }, "bad_name"},
		{"a long name", func(s *vault.Secret) { s.Name = strings.Repeat("a", 65) }, "bad_name"},
		{"no site", func(s *vault.Secret) { s.Site = "" }, "bad_name"},
		{"no value", func(s *vault.Secret) { s.Values = nil }, "secret_empty"},
		{"an address as origin", func(s *vault.Secret) { s.Origin = "https://core.example/login" }, "bad_origin"},
		{"an unbound site", func(*vault.Secret) {}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := secret("core")
			test.change(&s)
			err := inTx(t, func(tx *store.Tx) error { return vault.PutSecret(tx, s) })
			if fault.Code(err) != test.code {
				t.Errorf("got %v, want %q", err, test.code)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Error("the error shows the value")
			}
		})
	}
}

// A secret keeps the origin that its site had when it was set: binding the site
// to another origin must not hand the secret to that one.
func TestSecretIsBoundToItsOrigin(t *testing.T) {
	t.Parallel()
	err := inTx(t, func(tx *store.Tx) error {
		if err := vault.PutSite(tx, vault.Site{Name: "core", Origin: "HTTPS://Core.Bank.example:443/"}); err != nil {
			return err
		}
		if err := vault.PutSecret(tx, secret("core")); err != nil {
			return err
		}
		if err := vault.PutSite(tx, vault.Site{Name: "core", Origin: "https://evil.example"}); err != nil {
			return err
		}
		got, err := vault.GetSecret(tx, "core")
		if got.Origin != "https://core.bank.example" {
			t.Errorf("origin %q", got.Origin)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	err := inTx(t, func(tx *store.Tx) error {
		for _, site := range []vault.Site{{Name: "mail", Origin: "http://127.0.0.1:8080"}, {Name: "core", Origin: "https://core.example"}} {
			if err := vault.PutSite(tx, site); err != nil {
				return err
			}
		}
		sites, err := vault.ListSites(tx)
		want := []vault.Site{{Name: "core", Origin: "https://core.example"}, {Name: "mail", Origin: "http://127.0.0.1:8080"}}
		if diff := cmp.Diff(want, sites); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if err := vault.DeleteSite(tx, "core"); err != nil {
			t.Error(err)
		}
		_, err = vault.GetSite(tx, "core")
		if again := vault.DeleteSite(tx, "core"); !fault.HasCode(err, "site_unknown") || !fault.HasCode(again, "site_unknown") {
			t.Errorf("after delete: %v, %v", err, again)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"https://core.example", "https://core.example"},
		{" https://core.example/ ", "https://core.example"},
		{"HTTPS://CORE.example:443", "https://core.example"},
		{"http://core.example:80", "http://core.example"},
		{"http://core.example:443", "http://core.example:443"},
		{"https://core.example:8443", "https://core.example:8443"},
		{"http://[::1]:9000", "http://[::1]:9000"},
		{"http://[::1]", "http://[::1]"},
		{"http://[0:0::0:1]:080", "http://[::1]"},
		{"https://core.example:08443", "https://core.example:8443"},
		{"http://[fe80::1%25eth0]", ""},
		{"https://银行.example", ""},
		{"http://core.example:", "http://core.example"},
		{"", ""},
		{"core.example", ""},
		{"//core.example", ""},
		{"ftp://core.example", ""},
		{"javascript:alert(1)", ""},
		{"https://", ""},
		{"https://:443", ""},
		{"https://user@core.example", ""},
		{"https://core.example/login", ""},
		{"https://core.example?a=b", ""},
		{"https://core.example?", ""},
		{"https://core.example#a", ""},
		{"https://core.example:99999", ""},
		{"https://core example", ""},
		{"https://*.example", ""},
	}
	for _, test := range tests {
		got, err := vault.Origin(test.text)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("Origin(%q) = %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://core.example", "http://[::1]:9000", "https://user@core.example", "HTTP://A:80/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin, err := vault.Origin(text)
		if err != nil {
			return
		}
		if again, err := vault.Origin(origin); err != nil || again != origin {
			t.Errorf("Origin(%q) = %q, and of that %q, %v", text, origin, again, err)
		}
	})
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	err := inTx(t, func(tx *store.Tx) error {
		if _, err := vault.GetIdentity(tx); !fault.HasCode(err, "not_enrolled") {
			t.Errorf("before enrolment: %v", err)
		}
		want := vault.Identity{Device: "dev_1", HeadOffice: "https://ho.example", CA: "ca", Certificate: "cert", PrivateKey: canary, StateKey: "sk"}
		if err := vault.PutIdentity(tx, want); err != nil {
			return err
		}
		got, err := vault.GetIdentity(tx)
		want.Enrolled = got.Enrolled
		if got != want || got.Enrolled.IsZero() || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		if err := vault.DeleteIdentity(tx); err != nil {
			return err
		}
		if _, err := vault.GetIdentity(tx); !fault.HasCode(err, "not_enrolled") {
			t.Errorf("after delete: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingPrints prints secrets in every way a careless line of code could.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	s := secret("core")
	identity := vault.Identity{Device: "dev_1", PrivateKey: canary}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		logger := slog.New(handler)
		logger.Info("x", "secret", s, "values", s.Values, "identity", identity, "at", &s, "also", &identity)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", s, &s, s.Values, identity)
	}
	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%q", canary)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("a secret was printed:\n%s", out.String())
		}
	}
}

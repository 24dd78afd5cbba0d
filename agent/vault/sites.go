package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Site binds a name that packs use to an origin.
type Site struct {
	Name   string  `json:"name"`
	Origin string  `json:"origin"`
	By     wire.By `json:"by"`
}

// PutSite binds a site, new or not. Codes: bad_name, bad_origin.
func PutSite(tx *store.Tx, site Site) error {
	if err := checkName(site.Name); err != nil {
		return err
	}
	origin, err := Origin(site.Origin)
	if err != nil {
		return err
	}
	site.Origin = origin
	return store.PutJSON(tx, store.Sites, []byte(site.Name), site)
}

// GetSite returns a site. Code: site_unknown.
func GetSite(tx *store.Tx, name string) (Site, error) {
	site, err := store.GetJSON[Site](tx, store.Sites, []byte(name))
	if errors.Is(err, store.ErrNotFound) {
		return site, fault.New(fault.Usage, "site_unknown", "the site %q is not bound on this device", name).
			WithHint("bind it with `branchbot site set %s ORIGIN`", name)
	}
	if err != nil {
		return site, fmt.Errorf("read site %s: %w", name, err)
	}
	return site, nil
}

// ListSites returns all sites, by name.
func ListSites(tx *store.Tx) ([]Site, error) {
	return list(tx, store.Sites, func(s Site) Site { return s })
}

// DeleteSite unbinds a site. Code: site_unknown.
func DeleteSite(tx *store.Tx, name string) error {
	if _, err := GetSite(tx, name); fault.HasCode(err, "site_unknown") {
		return err
	}
	return tx.Delete(store.Sites, []byte(name))
}

// Origin gives the one spelling of a web origin: scheme://host[:port], lower
// case, without the scheme's own port. Code: bad_origin.
func Origin(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	bad := err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Path != "" && u.Path != "/") || (u.Scheme != "http" && u.Scheme != "https")
	if bad {
		return "", fault.New(fault.Usage, "bad_origin", "%q is not an origin", text).
			WithHint("write scheme, host and port only, like https://core.bank.example:8443")
	}
	host := strings.ToLower(u.Host)
	standard := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(strings.TrimSuffix(host, standard), ":"), nil
}

// list decodes every readable row of a bucket. Damaged rows must not hide others.
func list[Row, View any](tx *store.Tx, bucket store.Bucket, view func(Row) View) ([]View, error) {
	views := []View{}
	err := tx.Range(bucket, store.Scan{}, func(_, value []byte) error {
		var row Row
		if err := json.Unmarshal(value, &row); err != nil {
			return fmt.Errorf("decode %s: %w", bucket, err)
		}
		views = append(views, view(row))
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil
	}
	return views, err
}

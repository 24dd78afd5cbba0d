package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
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
// case, without the scheme's own port, as browsers write it. Code: bad_origin.
func Origin(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err == nil && isBare(u) {
		host, hostIsGood := hostOf(u)
		port, portIsGood := portOf(u)
		if hostIsGood && portIsGood {
			return u.Scheme + "://" + host + port, nil
		}
	}
	return "", fault.New(fault.Usage, "bad_origin", "%q is not an origin", text).
		WithHint("write scheme, host and port only, like https://core.bank.example:8443")
}

// isBare: a web address with nothing but scheme, host and port.
func isBare(u *url.URL) bool {
	return u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && (u.Path == "" || u.Path == "/") &&
		(u.Scheme == "http" || u.Scheme == "https")
}

// hostOf accepts names and addresses; a name in another script than ASCII must
// come in the form that browsers send (xn--…).
func hostOf(u *url.URL) (string, bool) {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		return "[" + address.String() + "]", err == nil && address.Zone() == ""
	}
	return host, host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// portOf gives ":port", or "" for the scheme's own.
func portOf(u *url.URL) (string, bool) {
	standard := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	if u.Port() == "" {
		return "", true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if port == standard {
		return "", true
	}
	return fmt.Sprint(":", port), err == nil && port > 0
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

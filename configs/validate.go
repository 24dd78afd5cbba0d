package configs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	textlanguage "golang.org/x/text/language"

	"branchbot/internal/fault"
)

// invalid is the one refusal of a value: it names the field and the value.
func invalid(key string, value any, format string, args ...any) error {
	why := fmt.Errorf(format, args...)
	return fault.New(fault.Usage, "config_invalid", "%s: %s %w", key, quote(value), why).
		WithFact("field", key).WithFact("value", fmt.Sprint(value)).
		WithHint("Set %s to a value that fits; the sample file shows the default.", key)
}

func quote(value any) string {
	if text, ok := value.(string); ok {
		return strconv.Quote(text)
	}
	return fmt.Sprint(value)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func present(key, value string) error {
	if value == "" {
		return invalid(key, value, "must not be empty")
	}
	return nil
}

func within[T cmp.Ordered](key string, value, least, most T) error {
	if value < least || value > most {
		return invalid(key, value, "must lie between %v and %v", least, most)
	}
	return nil
}

func oneOf(key, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return invalid(key, value, "must be one of: %s", strings.Join(allowed, ", "))
	}
	return nil
}

func (l Log) validate() error {
	return firstOf(
		oneOf("log.level", l.Level, "debug", "info", "warn", "error"),
		oneOf("log.format", l.Format, "text", "json"),
	)
}

func address(key, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return invalid(key, value, "must be an address and a port, such as 127.0.0.1:7800")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return invalid(key, value, "has no port between 0 and 65535")
	}
	return nil
}

// loopback keeps the panel on this machine: whoever reaches it may start bots.
func loopback(key, value string) error {
	if err := address(key, value); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(value)
	if addr, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !addr.IsLoopback()) {
		return invalid(key, value, "must be a loopback address: it may be reached from this machine only")
	}
	return nil
}

func language(key, value string) error {
	if _, err := textlanguage.Parse(value); err != nil {
		return invalid(key, value, "must be a language such as zh-CN or en")
	}
	return nil
}

func sites(origins map[string]string) error {
	for _, name := range sorted(origins) {
		if !isName(name) {
			return invalid("sites", name, "is not a site name: small letters, digits, - and _")
		}
		if err := origin("sites."+name, origins[name]); err != nil {
			return err
		}
	}
	return nil
}

func isName(name string) bool {
	const first, further = "abcdefghijklmnopqrstuvwxyz", "0123456789_-"
	return name != "" && len(name) < 64 && strings.Contains(first, name[:1]) && strings.Trim(name, first+further) == ""
}

func origin(key, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || value != u.Scheme+"://"+u.Host {
		return invalid(key, value, "must be an origin such as https://core.bank.example, without a path")
	}
	return nil
}

func proxy(key, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return invalid(key, value, "must be a URL such as http://proxy.bank.example:3128")
	case u.User != nil:
		return invalid(key, u.Redacted(), "must not carry a name or password: configuration is shown and logged")
	}
	return nil
}

func certificateNames(key string, names []string) error {
	if len(names) == 0 {
		return invalid(key, "[]", "needs at least one host name or address")
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " /:@") && net.ParseIP(name) == nil {
			return invalid(key, name, "is neither a host name nor an address")
		}
	}
	return nil
}

// leastDatabase is what the smallest useful limit of the database is.
const leastDatabase = 64 * MiB

func (d Disk) database() error {
	if d.Database == 0 {
		return nil
	}
	return within("disk.database", d.Database, leastDatabase, 1024*GiB)
}

func schedules(list []Schedule) error {
	seen := map[string]bool{}
	for i, s := range list {
		key := fmt.Sprintf("schedules[%d]", i)
		if err := firstOf(present(key+".bot", s.Bot), present(key+".cron", s.Cron), within(key+".late", s.Late, 0, 7*24*time.Hour)); err != nil {
			return err
		}
		if seen[s.ID()] {
			return invalid(key+".name", s.ID(), "stands twice: give each schedule of a bot its own name")
		}
		seen[s.ID()] = true
		if _, err := json.Marshal(s.Inputs); err != nil {
			return invalid(key+".inputs", s.Inputs, "cannot be written as JSON: %w", err)
		}
	}
	return nil
}

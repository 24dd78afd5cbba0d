package modules

import (
	"context"
	"crypto/x509"
	"log/slog"
	"maps"
	"net/url"

	"branchbot/bots/guard"
	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// OpenGuard opens the one guard of a run, which stands between all its modules
// and the sites. Its context is the parent of all traffic.
func OpenGuard(ctx context.Context, start *host.Start, manifest *pack.Manifest, logger *slog.Logger) (*guard.Proxy, error) {
	config := guard.Config{Manifest: manifest, Origins: maps.Clone(start.Origins), Strict: start.Trust != "unsigned", Logger: logger}
	if len(start.Roots) > 0 {
		config.Roots = roots(start.Roots)
	}
	if start.Browser.Proxy != "" {
		upstream, err := url.Parse(start.Browser.Proxy)
		if err != nil {
			return nil, fault.New(fault.Usage, "config", "browser.proxy %q: %w", start.Browser.Proxy, err)
		}
		config.Upstream = upstream
	}
	return guard.Open(ctx, config)
}

// roots are the system's authorities and the bank's own.
func roots(pem []byte) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any: the bank's own must do
	}
	pool.AppendCertsFromPEM(pem)
	return pool
}

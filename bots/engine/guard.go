package engine

import (
	"fmt"

	"branchbot/bots/guard"
	"branchbot/bots/modules"
)

// Guard is the run's one guard, opened by whoever first goes to a site.
func (r *run) Guard() (*guard.Proxy, error) {
	if r.proxy != nil {
		return r.proxy, nil
	}
	proxy, err := modules.OpenGuard(r.whole, r.config.Start, r.config.Pack.Manifest, r.config.Logger)
	if err != nil {
		return nil, fmt.Errorf("open the run's proxy: %w", err)
	}
	r.proxy = proxy
	return proxy, nil
}

// closeGuard ends it, after the modules that use it.
func (r *run) closeGuard() {
	if r.proxy == nil {
		return
	}
	if err := r.proxy.Close(); err != nil {
		r.config.Logger.Warn("the run's proxy did not close cleanly", "error", err)
	}
}

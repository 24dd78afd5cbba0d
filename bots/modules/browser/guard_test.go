//go:build linux

package browser

import (
	"branchbot/bots/guard"
	"branchbot/bots/modules"
)

// Guard is the run's proxy, as the engine keeps it.
func (b *bench) Guard() (*guard.Proxy, error) {
	if b.proxy != nil {
		return b.proxy, nil
	}
	proxy, err := modules.OpenGuard(b.ctx, b.start, b.pack.Manifest, b.Logger())
	if err != nil {
		return nil, err
	}
	b.proxy = proxy
	return proxy, nil
}

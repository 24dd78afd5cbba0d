//go:build !linux

package guard

import "net"

// socketOwner is not enforced here: every local process is let in.
func socketOwner(net.Conn, int, int) (int, bool) { return 0, true }

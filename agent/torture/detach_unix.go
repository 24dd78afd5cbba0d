//go:build unix

package torture

import (
	"os/exec"
	"syscall"
)

// detach gives the agent a process group of its own: Ctrl-C is for torture alone.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

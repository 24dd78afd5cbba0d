//go:build !windows

package world

import (
	"os/exec"
	"syscall"
)

// detach keeps a terminal's Ctrl-C from the program: whoever made the world ends it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

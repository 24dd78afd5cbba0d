package world

import "os/exec"

// detach does nothing here.
func detach(*exec.Cmd) {}

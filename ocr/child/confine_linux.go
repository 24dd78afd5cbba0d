package child

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// confine gives the program a group of its own (Ctrl-C reaches us first) and
// lets it die with the thread that started it.
func confine(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limitMemory sets the soft limit of the program's data. RLIMIT_AS is of no use:
// runtimes reserve far more address space than they touch.
func limitMemory(pid int, bytes int64) error {
	if bytes <= 0 {
		return nil
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, nil, &limit); err != nil {
		return err
	}
	limit.Cur = min(uint64(bytes), limit.Max)
	return unix.Prlimit(pid, unix.RLIMIT_DATA, &limit, nil)
}

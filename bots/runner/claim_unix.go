//go:build unix

package runner

import (
	"errors"
	"os"
	"syscall"
	"time"

	"branchbot/internal/fault"
)

const (
	// deathTime is how long an earlier runner of a run may take to die.
	deathTime = 10 * time.Second
	// patience is how long it may take by itself, before it is killed. A child that
	// this process starts at the same time has our files, too, until it executes.
	patience = 200 * time.Millisecond
)

// claim takes the lock of a run. Its runner inherits the open file, so that the
// lock is free only once that runner, and whoever it handed the file to, is dead,
// even if the agent that started it was killed. Who still has it is killed.
// Code runner_alive.
func claim(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.Application, "runner_start", "open the run's lock: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(fault.New(fault.Application, "runner_start", "take the run's lock: %w", err), file.Close())
		case time.Since(began) > deathTime:
			return nil, errors.Join(fault.New(fault.Application, "runner_alive", "an earlier runner of this run does not die").
				WithHint("restart this computer, then the run goes on").Retry(), file.Close())
		case time.Since(began) > patience:
			killHolders(path)
		}
	}
}

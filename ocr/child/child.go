// Package child starts a reading program so that it cannot harm its parent: its
// memory is limited, it gets one processor, and it dies with us, however we die.
package child

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

// ErrDied says that the program ended while it had work to do.
var ErrDied = errors.New("reading program died")

// Child is a started program.
type Child struct {
	command *exec.Cmd
	done    chan struct{}
	err     error // of Wait; read it after done
	kill    sync.Once
}

// Start starts a program with at most memory bytes of data (0: no limit). It
// returns when the program runs; Wait tells its end.
func Start(command *exec.Cmd, memory int64) (*Child, error) {
	// OpenMP's own threads cost four times the wall time on small pictures.
	command.Env = append(command.Environ(), "OMP_THREAD_LIMIT=1")
	confine(command)
	c := &Child{command: command, done: make(chan struct{})}
	started := make(chan error, 1)
	go c.run(memory, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// run starts the program and waits for it. The signal that ends the program with
// its parent follows the parent's thread, hence one thread is kept for its life.
func (c *Child) run(memory int64, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	if err := c.command.Start(); err != nil {
		started <- err
		return
	}
	err := limitMemory(c.command.Process.Pid, memory)
	if err != nil {
		c.Kill()
		err = fmt.Errorf("limit memory of %s: %w", c.command.Path, err)
	}
	started <- err
	c.err = c.command.Wait()
}

// PID is the program's process id.
func (c *Child) PID() int { return c.command.Process.Pid }

// Kill ends the program at once. It may be called at any time and more than once.
func (c *Child) Kill() {
	c.kill.Do(func() { _ = c.command.Process.Kill() }) // it may have ended by itself
}

// Wait waits until the program has ended and been reaped.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

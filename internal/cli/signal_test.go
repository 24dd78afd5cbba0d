//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

// hold is a command that ends when it is told to.
type hold struct {
	JSON bool
	end  func(*cli.Invocation) error
}

func (h *hold) Run(inv *cli.Invocation) error { return h.end(inv) }

func interruptible(end func(*cli.Invocation) error, exit func(int)) (code int, errs string) {
	var problem bytes.Buffer
	root := struct {
		Hold hold `cmd:"" help:"Hold."`
	}{hold{end: end}}
	code = cli.Run(cli.Env{Args: []string{"hold"}, Out: &bytes.Buffer{}, Err: &problem, Exit: exit},
		cli.Program{Name: "prog", Description: "d", Root: &root})
	return code, problem.String()
}

func signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

// The first signal ends the command's context, with a reason; a command that ends
// well all the same is done. Not parallel: signals are for the whole process.
func TestFirstSignalCancels(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(context.Context) error
		code int
		errs string
	}{
		"the command gives the context's error": {func(ctx context.Context) error { return ctx.Err() }, 130, "[interrupted]"},
		"the command gives the reason":          {context.Cause, 130, "stopped by signal"},
		"the command gives its own reason": {func(context.Context) error {
			return fault.New(fault.Interrupted, "cancelled", "the run was cancelled")
		}, 130, "[cancelled]"},
		"the command came to its end": {func(context.Context) error { return nil }, 0, ""},
	} {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			code, errs := interruptible(func(inv *cli.Invocation) error {
				signal(t, s)
				<-inv.Ctx.Done()
				return c.end(inv.Ctx)
			}, func(int) {})
			if code != c.code || !strings.Contains(errs, c.errs) {
				t.Errorf("%s, %s: exit %d, %q; want %d, %q", name, s, code, errs, c.code, c.errs)
			}
		}
	}
}

func TestSecondSignalExitsNow(t *testing.T) {
	exited := make(chan int, 1)
	var once sync.Once
	_, _ = interruptible(func(inv *cli.Invocation) error {
		signal(t, syscall.SIGTERM)
		<-inv.Ctx.Done()
		signal(t, syscall.SIGTERM)
		if code := <-exited; code != 130 {
			t.Errorf("exit %d, want 130", code)
		}
		return nil
	}, func(code int) { once.Do(func() { exited <- code }) })
}

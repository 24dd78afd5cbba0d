//go:build linux

package browser

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/binaries"
)

// holdBrowser is the child of TestKilledRunner: it lives under a memory limit,
// starts a browser through the helper, says its process id and waits to be killed.
func holdBrowser(scratch string) {
	limit := unix.Rlimit{Cur: 192 << 20, Max: unix.RLIM_INFINITY} // too little for Chromium
	if binaries.Race {
		limit.Cur = 1 << 30 // the race detector's shadow counts as data
	}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	b, err := startChromium(context.Background(), testLaunch(scratch), func(int) {})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if _, err := b.open(context.Background(), "", nil); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("pid", b.process.pid)
	select {}
}

func testLaunch(scratch string) launch {
	return launch{
		settings: host.BrowserSettings{Helper: []string{"/proc/self/exe", "__browser"}}, scratch: scratch,
		proxy: "127.0.0.1:9", pulse: usualPulse(), logger: slog.New(slog.DiscardHandler),
	}
}

func scratch(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "bb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return folder
}

// users are the processes that work with a profile.
func users(t *testing.T, profile string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range lines {
		data, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(data), profile) {
			found = append(found, filepath.Base(filepath.Dir(name)))
		}
	}
	return found
}

// nobody waits until no process of the browser is left.
func nobody(t *testing.T, profile string, pgid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		left := users(t, profile)
		if len(left) == 0 && syscall.Kill(-pgid, 0) != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still there: %v", left)
		}
	}
}

func TestKilledRunnerLeavesNoProcess(t *testing.T) {
	t.Parallel()
	folder := scratch(t)
	child := exec.CommandContext(t.Context(), "/proc/self/exe", "__run", folder)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "pid")))
	if err != nil {
		t.Fatalf("child said %q", line)
	}
	if before := users(t, folder); len(before) < 4 {
		t.Errorf("only %v are there before the kill", before)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	nobody(t, folder, pid)
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	folder := scratch(t)
	for range 2 { // the second start wipes what a kill would have left
		l := testLaunch(folder)
		left := filepath.Join(l.profile(), "left-behind")
		if err := os.MkdirAll(left, 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := startChromium(t.Context(), l, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); !os.IsNotExist(err) {
			t.Errorf("the old profile was kept: %v", err)
		}
		pid := b.process.pid
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		nobody(t, folder, pid)
		if _, err := os.Stat(l.profile()); !os.IsNotExist(err) {
			t.Errorf("the profile is still there: %v", err)
		}
	}
}

func TestBrowserDies(t *testing.T) {
	t.Parallel()
	b, err := startChromium(t.Context(), testLaunch(scratch(t)), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	page, err := b.open(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(b.process.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-b.ctx.Done()
	err = page.ask(t.Context(), nil, "url")
	if e := fault.Of(err); e.Code != "browser_died" || !e.Retryable {
		t.Errorf("got %v (%s)", err, e.Code)
	}
}

// A stopped browser answers nothing: calls end, and the heartbeat's verdict is
// reported. The limits are the product's own, so only the call's is waited for here.
func TestFrozenBrowserEndsCalls(t *testing.T) {
	t.Parallel()
	l := testLaunch(scratch(t))
	l.pulse = pulse{beat: 100 * time.Millisecond, answer: 2 * time.Second}
	b, err := startChromium(t.Context(), l, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := syscall.Kill(b.process.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err = b.open(t.Context(), "", nil)
	if e := fault.Of(err); e.Code != "browser_frozen" || !e.Retryable {
		t.Errorf("got %v (%s)", err, e.Code)
	}
}

func TestNoBrowser(t *testing.T) {
	t.Parallel()
	l := testLaunch(scratch(t))
	l.settings.Path = "/nowhere/chromium"
	_, err := startChromium(t.Context(), l, func(int) {})
	if e := fault.Of(err); e.Code != "browser_missing" || !strings.Contains(e.Hint, "install/deps.sh") {
		t.Errorf("got %v", err)
	}
	l.settings.Path = "/bin/false" // something that is no browser
	_, err = startChromium(t.Context(), l, func(int) {})
	if e := fault.Of(err); e.Code != "browser_start" {
		t.Errorf("got %v (%s)", err, e.Code)
	}
}

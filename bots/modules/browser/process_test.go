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
	"branchbot/internal/testkit/procs"
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

// family is the keeper, the browser and all that came of them.
func family(t testing.TB, keeper int) []procs.Process {
	t.Helper()
	tree, err := procs.Tree(keeper)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// member finds one process of a browser: what its command line says.
func member(t testing.TB, keeper int, says string) int {
	t.Helper()
	for _, p := range family(t, keeper) {
		if p.PID != keeper && strings.Contains(strings.Join(p.Args, " "), says) {
			return p.PID
		}
	}
	t.Fatalf("no process %q in %v", says, family(t, keeper))
	return 0
}

// main is Chromium's browser process.
func (p *process) main(t testing.TB) int {
	t.Helper()
	for _, child := range family(t, p.pid) {
		if child.Parent == p.pid && !strings.Contains(strings.Join(child.Args, " "), "--type=") && !strings.Contains(child.Args[0], "crashpad") {
			return child.PID
		}
	}
	t.Fatalf("no browser below %d", p.pid)
	return 0
}

// nobody sees that nothing of a browser is left, and no folder.
func nobody(t testing.TB, tree []procs.Process, scratch string) {
	t.Helper()
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Alive(tree) })
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(filepath.Join(scratch, profilePrefix)) })
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
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
	before := family(t, pid)
	if len(before) < 6 {
		t.Errorf("only %v are there before the kill", before)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	killed := time.Now()
	nobody(t, before, folder)
	t.Logf("%d processes gone %s after the runner", len(before), time.Since(killed).Round(time.Millisecond))
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	folder := scratch(t)
	for range 2 { // the second start wipes what a kill would have left
		l := testLaunch(folder)
		left := filepath.Join(folder, profilePrefix+"old", "left-behind")
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
		before := family(t, b.process.pid)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		nobody(t, before, folder)
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
	if err := syscall.Kill(b.process.main(t), syscall.SIGKILL); err != nil {
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
	if err := syscall.Kill(b.process.main(t), syscall.SIGSTOP); err != nil {
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

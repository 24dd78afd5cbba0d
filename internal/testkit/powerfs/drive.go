//go:build linux

package powerfs

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Drive is a mounted disk, seen by the test that uses it.
type Drive struct {
	tb      testing.TB
	dir     string
	child   *rpc.Client
	options Options
}

// Start mounts an empty disk and takes it away at the end of the test. Where
// there is no FUSE the test is skipped.
func Start(tb testing.TB, o Options) *Drive {
	tb.Helper()
	Need(tb)
	sweep(tb)
	d := &Drive{tb: tb, dir: filepath.Join(tb.TempDir(), "disk"), options: o}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	d.startChild()
	if err := d.child.Call("Service.Mount", o, &Nothing{}); err != nil && strings.Contains(err.Error(), syscall.EPERM.Error()) {
		tb.Skip("no FUSE here: the device or the right to mount is missing")
	} else if err != nil {
		tb.Fatalf("mount: %v", err)
	}
	return d
}

// Need skips the test where there is no FUSE.
func Need(tb testing.TB) {
	tb.Helper()
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		tb.Skip("no FUSE here: the device or the right to mount is missing")
	}
	_ = device.Close() // only tried
}

// startChild starts this test binary again as the file system. It ends, and
// takes the mount along, when its stdin does: also when this process is killed.
func (d *Drive) startChild() {
	d.tb.Helper()
	command := exec.Command(os.Args[0])                                                      //nolint:noctx // its stdin ends it, after the test's context
	command.Env = append(os.Environ(), folderVariable+"="+d.dir, "GORACE=atexit_sleep_ms=0") // nothing to wait for
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		d.tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		d.tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		d.tb.Fatal(err)
	}
	d.child = rpc.NewClient(stdio{out, in})
	d.tb.Cleanup(func() {
		if err := errors.Join(d.child.Close(), command.Wait()); err != nil {
			d.tb.Errorf("end of the file system: %v", err)
		}
		_ = unix.Unmount(d.dir, unix.MNT_DETACH) // the child has done it, unless it died
	})
}

// sweep takes away mounts whose process has died.
func sweep(tb testing.TB) {
	tb.Helper()
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = mounts.Close() }() // only read
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if !strings.Contains(lines.Text(), " fuse."+fsName+" ") || len(fields) < 5 {
			continue
		}
		if _, err := os.Stat(fields[4]); errors.Is(err, syscall.ENOTCONN) {
			_ = unix.Unmount(fields[4], unix.MNT_DETACH) // another test may be quicker
		}
	}
}

// Dir is the top folder of the disk.
func (d *Drive) Dir() string { return d.dir }

func (d *Drive) call(method string, arguments, answer any) {
	d.tb.Helper()
	if err := d.child.Call("Service."+method, arguments, answer); err != nil {
		d.tb.Fatalf("file system: %s: %v", method, err)
	}
}

// Set changes what the disk does from now on.
func (d *Drive) Set(o Options) {
	d.tb.Helper()
	d.options = o
	d.call("Set", o, &Nothing{})
}

// CutAfter lets the power fail at the nth change (write, truncation, entry,
// sync) from now; that one may still reach the disk, but is not answered.
func (d *Drive) CutAfter(n int) {
	d.tb.Helper()
	d.call("CutAfter", n, &Nothing{})
}

// CutAtSync lets the power fail within the nth sync from now: all is written
// then, and nobody has been told.
func (d *Drive) CutAtSync(n int) {
	d.tb.Helper()
	d.call("CutAtSync", n, &Nothing{})
}

// CutSometime arms a cut as tests want them: at a random change, of some or of
// very many, and often within a sync.
func (d *Drive) CutSometime(r *rand.Rand, most int) {
	d.tb.Helper()
	among := 1 + r.IntN([]int{20, most / 4, most / 4, most}[r.IntN(4)])
	if r.IntN(2) == 0 {
		d.CutAtSync(1 + among/8)
	} else {
		d.CutAfter(among)
	}
}

// Cut lets the power fail now.
func (d *Drive) Cut() {
	d.tb.Helper()
	d.call("Cut", Nothing{}, &Nothing{})
}

// Wait returns when the power has failed.
func (d *Drive) Wait() {
	d.tb.Helper()
	d.call("Wait", Nothing{}, &Nothing{})
}

// Failed tells whether the power has failed.
func (d *Drive) Failed() (dead bool) {
	d.tb.Helper()
	d.call("IsDead", Nothing{}, &dead)
	return dead
}

// Changes counts the changes since the disk was brought up.
func (d *Drive) Changes() (count uint64) {
	d.tb.Helper()
	d.call("Changes", Nothing{}, &count)
	return count
}

// Remount cuts the power, if that has not happened yet, and brings up what the
// seed lets survive. Files should be closed before: they belong to the old disk.
func (d *Drive) Remount(seed uint64) {
	d.tb.Helper()
	d.call("Remount", Again{Seed: seed, Options: d.options}, &Nothing{})
}

// Save writes into a folder all that led to the last Remount: Load and
// Case.Survived build the same disk again. What survived lies beside it, as files.
func (d *Drive) Save(folder string) {
	d.tb.Helper()
	d.call("Save", folder, &Nothing{})
	d.tb.Logf("the case is kept in %s", folder)
}

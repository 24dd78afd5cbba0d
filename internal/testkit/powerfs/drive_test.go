//go:build linux

package powerfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

func TestMain(m *testing.M) {
	powerfs.ServeIfChild()
	os.Exit(m.Run())
}

// The same random operations on the disk and in an ordinary folder leave the
// same files, and answer the same.
func TestLikeAnOrdinaryFolder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	drive, plain := powerfs.Start(t, powerfs.Options{}), t.TempDir()
	for range 400 {
		what, do := operation(r)
		if got, want := do(drive.Dir()), do(plain); !errors.Is(got, errnoOf(want)) {
			t.Fatalf("%s: %v, an ordinary folder says %v", what, got, want)
		}
	}
	if diff := cmp.Diff(content(t, plain), content(t, drive.Dir())); diff != "" {
		t.Errorf("content differs (-plain +powerfs):\n%s", diff)
	}
}

func errnoOf(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

// operation draws one operation on few names.
func operation(r *rand.Rand) (string, func(dir string) error) {
	name := func() string { return []string{"a", "b", "c", "d/a", "d/b", "d"}[r.IntN(6)] }
	first, second, off, size := name(), name(), r.Int64N(3000), r.Int64N(3000)
	data := make([]byte, r.IntN(2500))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	operations := []func(dir string) error{
		func(dir string) error { return writeAt(filepath.Join(dir, first), off, data) },
		func(dir string) error { return writeAt(filepath.Join(dir, first), off, data) },
		func(dir string) error { return os.WriteFile(filepath.Join(dir, first), data, 0o600) },
		func(dir string) error { return os.Truncate(filepath.Join(dir, first), size) },
		func(dir string) error { return os.Rename(filepath.Join(dir, first), filepath.Join(dir, second)) },
		func(dir string) error { return os.Link(filepath.Join(dir, first), filepath.Join(dir, second)) },
		func(dir string) error { return os.Remove(filepath.Join(dir, first)) },
		func(dir string) error { return os.Mkdir(filepath.Join(dir, "d"), 0o700) },
		func(dir string) error { return mappedWrite(filepath.Join(dir, first), off, data) },
	}
	n := r.IntN(len(operations))
	return fmt.Sprintf("operation %d %s %s %d %d", n, first, second, off, size), func(dir string) error { return operations[n](dir) }
}

func writeAt(path string, off int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, off)
	return errors.Join(err, file.Close())
}

// mappedWrite writes through a shared mapping.
func mappedWrite(path string, off int64, data []byte) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // the mapping is synced below
	info, err := file.Stat()
	if err != nil || info.Size() <= off {
		return err
	}
	mapped, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(mapped[off:], data)
	return errors.Join(unix.Msync(mapped, unix.MS_SYNC), unix.Munmap(mapped))
}

// content reads all files below a folder.
func content(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			files[path] = "folder"
			return err
		}
		raw, err := os.ReadFile(filepath.Join(root, path))
		files[path] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Locks are those of the kernel: fcntl and flock keep others out.
func TestLocks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(powerfs.Start(t, powerfs.Options{}).Dir(), "locked")
	one, other := openFile(t, path), openFile(t, path)
	if err := unix.Flock(int(one.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("second flock: %v", err)
	}
	lock := &unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(one.Fd(), unix.F_OFD_SETLK, lock); err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(other.Fd(), unix.F_OFD_SETLK, lock); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("second fcntl lock: %v", err)
	}
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // its disk may be gone
	return file
}

// After the cut nothing is written, and what was synced is there again.
func TestCut(t *testing.T) {
	t.Parallel()
	drive := powerfs.Start(t, powerfs.Options{})
	save(t, drive.Dir(), "kept", "kept text")
	open := openFile(t, filepath.Join(drive.Dir(), "kept"))
	drive.Cut()
	drive.Wait()
	if _, err := open.WriteString("x"); !errors.Is(err, syscall.EIO) {
		t.Errorf("write without power: %v", err)
	}
	if err := open.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync without power: %v", err)
	}
	if err := os.Mkdir(filepath.Join(drive.Dir(), "d"), 0o700); !errors.Is(err, syscall.EIO) {
		t.Errorf("mkdir without power: %v", err)
	}
	drive.Remount(1)
	if got := content(t, drive.Dir()); got["kept"] != "kept text" || len(got) != 2 {
		t.Errorf("after the cut: %q", got)
	}
}

// save writes a file as it must be done.
func save(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := errors.Join(saveTemp(dir, name, text), os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)), syncDir(dir)); err != nil {
		t.Fatal(err)
	}
}

// saveTemp makes a new file. It does not empty one that is there: a rename of
// which half survived has left it as a second name of the file itself.
func saveTemp(dir, name, text string) error {
	path := filepath.Join(dir, name+".new")
	_ = os.Remove(path) // mostly there is none
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// The controls: a program that forgets a sync loses what it thinks it has, and
// one that forgets none never does, except on a disk that lies.
func TestForgottenSyncsLose(t *testing.T) {
	t.Parallel()
	plain := func(dir, text string) error { return os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600) }
	renamed := func(dir, text string) error {
		return errors.Join(saveTemp(dir, "f", text), os.Rename(filepath.Join(dir, "f.new"), filepath.Join(dir, "f")))
	}
	right := func(dir, text string) error { return errors.Join(renamed(dir, text), syncDir(dir)) }
	for _, c := range []struct {
		name    string
		options powerfs.Options
		save    func(dir, text string) error
		loses   bool
	}{
		{"no fsync", powerfs.Options{}, plain, true},
		{"no fsync, torn", powerfs.Options{Writes: powerfs.Torn}, plain, true},
		{"no fsync, in order", powerfs.Options{Writes: powerfs.InOrder}, plain, true},
		{"rename without a sync of its folder", powerfs.Options{}, renamed, true},
		{"the same, as ext4 does it", powerfs.Options{Names: powerfs.Journaled}, renamed, true},
		{"all synced", powerfs.Options{Garbage: powerfs.WholeSector}, right, false},
		{"all synced, torn", powerfs.Options{Writes: powerfs.Torn}, right, false},
		{"all synced, as ext4 does it", powerfs.Options{Names: powerfs.Journaled}, right, false},
		{"all synced, lying disk", powerfs.Options{Lying: true}, right, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			drive, lost := powerfs.Start(t, c.options), 0
			for n := range uint64(20) {
				text := fmt.Sprintf("%2000d", n)
				if err := c.save(drive.Dir(), text); err != nil {
					t.Fatal(err)
				}
				drive.Remount(n)
				if content(t, drive.Dir())["f"] != text {
					lost++
				}
			}
			if c.loses != (lost > 0) {
				t.Errorf("%d of 20 lost", lost)
			}
		})
	}
}

// A file that was replaced is the old one or the new one at any moment of the
// cut, and nothing else.
func TestReplacedWholeOrNot(t *testing.T) {
	t.Parallel()
	drive := powerfs.Start(t, powerfs.Options{Garbage: powerfs.WholeSector})
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	save(t, drive.Dir(), "f", fmt.Sprintf("%2000d", 0))
	for n := range soak.Times(t, 40) {
		before := content(t, drive.Dir())["f"]
		drive.CutAfter(1 + r.IntN(8))
		next := fmt.Sprintf("%2000d", n+1)
		err := errors.Join(saveTemp(drive.Dir(), "f", next), os.Rename(filepath.Join(drive.Dir(), "f.new"), filepath.Join(drive.Dir(), "f")), syncDir(drive.Dir()))
		drive.Remount(r.Uint64())
		after := content(t, drive.Dir())["f"]
		if after != next && (err == nil || after != before) {
			t.Fatalf("cut %d: saved with %v, found %.40q", n, err, after)
		}
	}
}

// A full disk says so, keeps what it has, and takes more when there is room.
func TestFull(t *testing.T) {
	t.Parallel()
	drive := powerfs.Start(t, powerfs.Options{Size: 64 << 10})
	file := openFile(t, filepath.Join(drive.Dir(), "f"))
	if _, err := file.WriteAt(make([]byte, 60<<10), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(make([]byte, 8<<10), 60<<10); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write to a full disk: %v", err)
	}
	var space unix.Statfs_t
	if err := unix.Statfs(drive.Dir(), &space); err != nil || int64(space.Bavail)*space.Bsize != 4<<10 {
		t.Errorf("%d free, %v", int64(space.Bavail)*space.Bsize, err)
	}
	drive.Set(powerfs.Options{})
	if _, err := file.WriteAt(make([]byte, 8<<10), 60<<10); err != nil {
		t.Errorf("write with room again: %v", err)
	}
}

// What Save has written builds the same disk again, byte by byte.
func TestCaseIsRepeated(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	drive := powerfs.Start(t, powerfs.Options{Garbage: powerfs.WholeSector})
	for range 3 {
		drive.CutAfter(50)
		for cut := false; !cut; {
			_, do := operation(r)
			cut = errors.Is(do(drive.Dir()), syscall.EIO)
		}
		drive.Remount(r.Uint64())
		want := content(t, drive.Dir())
		folder := t.TempDir()
		drive.Save(folder)
		again, err := powerfs.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		image, err := again.Survived()
		if err != nil {
			t.Fatal(err)
		}
		built := t.TempDir()
		if err := image.Unpack(built); err != nil {
			t.Fatal(err)
		}
		for name, dir := range map[string]string{"built again": built, "kept": filepath.Join(folder, "survived")} {
			if diff := cmp.Diff(want, content(t, dir)); diff != "" {
				t.Errorf("%s (-survived +got):\n%s", name, diff)
			}
		}
		t.Logf("%d files", len(slices.Collect(maps.Keys(want))))
	}
}

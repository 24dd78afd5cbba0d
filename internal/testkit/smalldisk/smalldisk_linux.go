package smalldisk

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// filler is the file that takes the room.
const filler = "filler"

// Memory mounts an empty file system in memory of so many bytes.
func Memory(tb testing.TB, size int64) *Disk {
	tb.Helper()
	d := &Disk{tb: tb, dir: filepath.Join(tb.TempDir(), "disk")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	err := unix.Mount("branchbot-test", d.dir, "tmpfs", 0, "size="+strconv.FormatInt(size, 10)+",mode=0700")
	d.mounted(err)
	return d
}

// Image makes an ext4 file system of so many bytes in a file, and mounts it.
func Image(tb testing.TB, size int64) *Disk {
	tb.Helper()
	folder := tb.TempDir()
	d := &Disk{tb: tb, dir: filepath.Join(folder, "disk"), image: filepath.Join(folder, "image")}
	err := errors.Join(os.Mkdir(d.dir, 0o700), os.WriteFile(d.image, nil, 0o600), os.Truncate(d.image, size))
	if err != nil {
		tb.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", "-F", d.image)
	if out, err := exec.CommandContext(tb.Context(), "mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		tb.Logf("mount: %s", out)
		tb.Skip("no right to mount a disk here")
	}
	tb.Cleanup(d.unmount)
	return d
}

func (d *Disk) mounted(err error) {
	d.tb.Helper()
	if errors.Is(err, syscall.EPERM) {
		d.tb.Skip("no right to mount a disk here")
	}
	if err != nil {
		d.tb.Fatal(err)
	}
	d.tb.Cleanup(d.unmount)
}

func (d *Disk) unmount() {
	if d.dir != "" {
		_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	}
}

// Fill takes the room that is left, to the last byte. It may be called again.
func (d *Disk) Fill() {
	d.tb.Helper()
	file, err := os.OpenFile(filepath.Join(d.dir, filler), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		d.tb.Error(err)
		return
	}
	for size := 1 << 20; size > 0; {
		if _, err = file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.tb.Errorf("fill the disk: %v", err)
	}
	if err := file.Close(); err != nil {
		d.tb.Error(err)
	}
}

// Free gives the room back.
func (d *Disk) Free() {
	d.tb.Helper()
	if err := os.Remove(filepath.Join(d.dir, filler)); err != nil && !os.IsNotExist(err) {
		d.tb.Error(err)
	}
}

// Raw brings everything to the disk and returns the file that holds all its blocks.
func (d *Disk) Raw() string {
	d.tb.Helper()
	unix.Sync()
	return d.image
}

func (d *Disk) run(name string, args ...string) {
	d.tb.Helper()
	if out, err := exec.CommandContext(d.tb.Context(), name, args...).CombinedOutput(); err != nil {
		d.tb.Fatalf("%s: %v: %s", name, err, out)
	}
}

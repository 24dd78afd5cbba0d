//go:build linux

package powerfs

import (
	"io"
	"net/rpc"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// folderVariable tells the child where to mount.
const folderVariable = "BRANCHBOT_TEST_POWERFS"

// ServeIfChild turns this process into the file system when Start has started
// it, and does not return then. TestMain calls it first.
func ServeIfChild() {
	dir := os.Getenv(folderVariable)
	if dir == "" {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // the end of stdin is the sign to go
	served := &Service{dir: dir}
	server := rpc.NewServer()
	if err := server.Register(served); err != nil {
		os.Exit(1)
	}
	server.ServeConn(stdio{os.Stdin, os.Stdout})
	_ = unix.Unmount(dir, unix.MNT_DETACH) // nothing may be mounted
	os.Exit(0)
}

// stdio joins the two pipes to the parent.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// Service answers the Drive of the parent process.
type Service struct {
	dir  string
	disk *Disk
	last Case // before the disk that is up now
}

// Nothing is what a call without arguments or answer carries.
type Nothing struct{}

// Mount puts an empty disk in place.
func (s *Service) Mount(o Options, _ *Nothing) error {
	s.disk = NewDisk(o)
	return mount(s.disk, s.dir)
}

// Set changes what the disk does.
func (s *Service) Set(o Options, _ *Nothing) error {
	s.disk.Set(o)
	return nil
}

// CutAfter arms the cut.
func (s *Service) CutAfter(n int, _ *Nothing) error {
	s.disk.CutAfter(n)
	return nil
}

// CutAtSync arms the cut within a sync.
func (s *Service) CutAtSync(n int, _ *Nothing) error {
	s.disk.CutAtSync(n)
	return nil
}

// Cut cuts.
func (s *Service) Cut(Nothing, *Nothing) error {
	s.disk.Cut()
	return nil
}

// Wait answers when the power has failed.
func (s *Service) Wait(Nothing, *Nothing) error {
	<-s.disk.Dead()
	return nil
}

// IsDead tells whether the power has failed.
func (s *Service) IsDead(_ Nothing, dead *bool) error {
	select {
	case <-s.disk.Dead():
		*dead = true
	default:
	}
	return nil
}

// Changes counts the changes since the disk was brought up.
func (s *Service) Changes(_ Nothing, count *uint64) error {
	*count = s.disk.Case(0).At
	return nil
}

// Again says how Remount brings the survivors up.
type Again struct {
	Seed    uint64
	Options Options
}

// Remount exchanges the disk for what survived.
func (s *Service) Remount(a Again, _ *Nothing) error {
	if err := unix.Unmount(s.dir, unix.MNT_DETACH); err != nil {
		return err
	}
	survived := s.disk.Survived(a.Seed)
	s.last = s.disk.Case(a.Seed)
	s.disk = survived.Disk(a.Options)
	return mount(s.disk, s.dir)
}

// Save writes what led to the last Remount into a folder.
func (s *Service) Save(folder string, _ *Nothing) error {
	return s.last.Save(folder, s.disk.base)
}
